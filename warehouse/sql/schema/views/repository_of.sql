-- repository_of(URL): host/owner/name of a repository's address, in lower case; NULL for other addresses.
CREATE OR REPLACE MACRO repository_of(url) AS nullif(regexp_extract(
    lower(url), '^https?://(?:www\.)?([^/@?#]+/[^/?#]+/[^/?#]+?)(?:\.git)?/?(?:[?#].*)?$', 1
), '')
