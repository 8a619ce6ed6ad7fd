DELETE FROM derivation
