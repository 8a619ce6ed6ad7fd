FROM derivation
