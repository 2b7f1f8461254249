"""Networks: building them, feeding them, keeping their weights."""
