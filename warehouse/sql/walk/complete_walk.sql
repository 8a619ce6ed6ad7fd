-- The last walk showed all it had to.
UPDATE walks SET complete = true, watermark = $watermark
WHERE upstream = $upstream
    AND committed_at = (SELECT max(committed_at) FROM walks WHERE upstream = $upstream)
