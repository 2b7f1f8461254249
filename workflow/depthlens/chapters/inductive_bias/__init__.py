"""What a network assumes before it has seen anything: convolutions against an MLP on edges."""
