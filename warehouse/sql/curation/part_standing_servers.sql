-- All servers of the publishers of the regrouped servers: ranks count them.
CREATE TEMP TABLE part_standing_servers AS
FROM standing_servers SEMI JOIN (SELECT publisher FROM standing_servers SEMI JOIN regrouped USING (name)) USING (publisher)
