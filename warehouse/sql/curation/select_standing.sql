-- Every standing server, when all are placed among each other anew.
CREATE TEMP TABLE regrouped AS
SELECT name FROM standing_servers
