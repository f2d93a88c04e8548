"""How events are drawn: proposals for energy, target, line, vertex and decay point."""
