-- repository_of(URL): host/owner/name in lower case of a repository's address; NULL for others.
CREATE OR REPLACE MACRO repository_of(url) AS nullif(regexp_extract(
    lower(url), '^https?://(?:www\.)?([^/@?#]+/[^/?#]+/[^/?#]+?)(?:\.git)?/?(?:[?#].*)?$', 1
), '')
