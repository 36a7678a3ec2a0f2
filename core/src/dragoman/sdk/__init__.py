"""What people call: clients, the router, and what hangs off them."""
