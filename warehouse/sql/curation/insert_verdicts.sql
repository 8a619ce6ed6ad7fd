INSERT INTO verdicts FROM next_verdicts
