-- verdict_fingerprint(...): a hash of everything that decides how a feed shows an entry; packages is the hash of its
-- package data.
CREATE OR REPLACE MACRO verdict_fingerprint(
    verdict, rule, reason, unknown, held_until, atoms, server_hash, meta_hash, raw_hash,
    status, status_message, is_latest, published_at, updated_at, status_changed_at, vanished_at, packages
) AS hash(
    verdict, rule, reason, unknown, held_until, atoms, server_hash, meta_hash, raw_hash,
    status, status_message, is_latest, published_at, updated_at, status_changed_at, vanished_at, packages
)
