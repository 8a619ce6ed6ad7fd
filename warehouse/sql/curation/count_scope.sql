SELECT count(*) AS servers FROM scope
