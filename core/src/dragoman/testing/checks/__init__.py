"""The checks of the conformance kit: of the package, requests, answers, failures and secrets."""
