-- text_flags(TEXT): what in a text is not meant for people: invisible characters, characters that change the reading
-- direction, words that direct a model. Marks that right-to-left texts, flags and emoji need do not count.
CREATE OR REPLACE MACRO text_flags(text) AS list_filter([
    CASE WHEN regexp_matches(text, '[\x{00AD}\x{180E}\x{200B}\x{2060}-\x{2064}\x{FEFF}\x{FFF9}-\x{FFFB}]|(^|[^\x{1F3F4}\x{E0020}-\x{E007F}])[\x{E0000}-\x{E007F}]|[A-Za-z0-9][\x{200C}\x{200D}][A-Za-z0-9]')
        THEN 'invisible' END,
    CASE WHEN regexp_matches(text, '[\x{202A}-\x{202E}\x{2066}-\x{2069}]') THEN 'bidi' END,
    CASE WHEN regexp_matches(text, '(?i)\b(ignore|disregard|forget|override)\s+(all|any|the|your|every)?\s*(of\s+)?(the\s+|your\s+)?(previous|prior|above|earlier|preceding)\s+(instruction|prompt|rule|direction|message)|<\s*/?\s*(system|important|instructions?|assistant)\s*>|\b(do\s+not|don.t|never)\s+(tell|inform|warn|alert|notify)\s+the\s+user|\b(always|must)\s+(use|call|invoke|run)\s+this\s+(tool|server)\s+(first|before|instead|whenever)|\bbefore\s+(using|calling|running)\s+any\s+other\s+tool|\byou\s+(must|are\s+required\s+to)\s+(always|never|ignore|call|invoke|obey)\b|\bsystem\s+prompt\s*:')
        THEN 'instructions' END
], lambda f: f IS NOT NULL)
