-- A macro of that name takes its place: some columns depend on the instant.
DROP VIEW policy_columns
