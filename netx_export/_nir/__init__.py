"""Exchange of networks in the neuromorphic intermediate representation, NIR (Pedersen et al., Nat. Commun. 2024)."""
