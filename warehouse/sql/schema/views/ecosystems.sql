-- The kinds of package registries that we ask, as enrich.ecosystems describes them: whether OSV has advisories for
-- them, whether they say when a version was published, whether a marker in a long text names the server, and whether
-- the digest of a version stays the same.
CREATE OR REPLACE VIEW ecosystems AS
FROM (VALUES
    ('npm', true, true, false, true),
    ('oci', false, false, false, true),
    ('pypi', true, true, true, false)
) t(kind, has_advisories, has_publication, has_marker_in_text, has_fixed_digest)
