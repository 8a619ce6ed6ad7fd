SELECT lines, chain FROM audit_heads ORDER BY noted_at
