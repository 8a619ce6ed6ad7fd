CREATE TEMP TABLE judged_again AS FROM scope
