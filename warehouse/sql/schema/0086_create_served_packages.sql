-- The same as of the last curation, kept so that a build finds those of a few servers at once.
CREATE TABLE served_packages AS FROM served_packages_now
