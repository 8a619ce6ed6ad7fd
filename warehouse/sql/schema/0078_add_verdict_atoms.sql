-- One sign per atom of the policy's rules: t, f or ?.
ALTER TABLE verdicts ADD COLUMN atoms VARCHAR
