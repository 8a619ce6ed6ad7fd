-- passes_age(SINCE, LAST, NOW, AGES): whether the age in whole days of what is as old as SINCE became one of AGES, or
-- passed it, behind LAST and up to NOW; AGES NULL: became any other.
CREATE OR REPLACE MACRO passes_age(since, last, now, ages) AS CASE
    WHEN ages IS NULL THEN
        greatest(epoch_us(now) - epoch_us(since), 0) // 86400000000
            > greatest(epoch_us(last) - epoch_us(since), 0) // 86400000000
    WHEN len(ages) = 0 THEN false
    ELSE len(list_filter(ages, lambda k:
        k > greatest(epoch_us(last) - epoch_us(since), 0) // 86400000000
        AND k <= greatest(epoch_us(now) - epoch_us(since), 0) // 86400000000
    )) > 0
END
