"""What difficulty is good for: each use of it tested, choosing at random always beside it."""
