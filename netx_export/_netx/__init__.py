"""Stock NetX files, whoever wrote them, as networks: what unmodified NetX makes of them, bit for bit, or a refusal."""
