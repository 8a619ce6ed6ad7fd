INSERT INTO verdicts
FROM next_verdicts
SEMI JOIN changed_verdicts USING (upstream, name, version)
