"""The conformance kit: inherit ``ProviderConformance``, declare exchanges, and have a whole test suite.

A standard test that does not hold for your provider stays visible: override it, call ``super()``, and mark it
``@pytest.mark.xfail(reason="...")``. Overriding without a reason is a failure of its own.
"""

from __future__ import annotations

from dragoman.testing.checks.answers import AnswerChecks
from dragoman.testing.checks.failures import FailureChecks
from dragoman.testing.checks.package import PackageChecks
from dragoman.testing.checks.requests import RequestChecks
from dragoman.testing.checks.secrecy import SecrecyChecks
from dragoman.testing.declarations import fail_for

__all__ = ["ProviderConformance"]


class ProviderConformance(PackageChecks, RequestChecks, AnswerChecks, FailureChecks, SecrecyChecks):
    """What every provider does, as tests. See ``Declarations`` for what a class that inherits it declares.

    Example::

        class TestAcme(ProviderConformance):
            provider = "acme"
            model = "large"
            settings = {"api_key": "test-key-123456"}
            text = Exchange(body=b"...", stream=b"...", text="Hello", usage=(3, 1))
    """

    def test_no_standard_test_is_overridden(self) -> None:
        """A standard test is only overridden with ``@pytest.mark.xfail(reason="...")``.

        Troubleshooting: give the reason, or name your own test otherwise.
        """
        problems = []
        for name in dir(ProviderConformance):
            mine, standard = getattr(type(self), name, None), getattr(ProviderConformance, name)
            if name.startswith("test_") and mine is not standard and not _has_reason(mine):
                problems.append(name)
        fail_for(problems, "overridden without a reason (@pytest.mark.xfail(reason=...)):")


def _has_reason(test: object) -> bool:
    marks = getattr(test, "pytestmark", ())
    return any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)
