-- The clusters of the regrouped servers.
CREATE TEMP TABLE part_clusters AS
FROM clusters SEMI JOIN regrouped USING (name)
