"""Rule expressions: useful ones that must mean what they say, hostile ones that must be refused."""

USEFUL = """
name = 'a.b/one'
name <> 'a.b/one'
name LIKE 'a.%'
name NOT LIKE '%/two'
name ILIKE 'A.B/%'
starts_with(name, 'io.github.')
NOT starts_with(name, 'io.github.')
ends_with(name, '-mcp')
suffix(name, 'mcp')
contains(name, 'github')
name ^@ 'io.'
regexp_matches(name, '^io\\.github\\.[a-z]+/')
NOT regexp_matches(name, '[0-9]')
split_part(name, '/', 2) = 'one'
left(name, 3) = 'io.'
right(name, 4) = '-mcp'
strpos(name, 'b') > 2
length(name) > 12
length(name) BETWEEN 5 AND 10
lower(name) = name
upper(name) <> name
name IN ('a.b/one', 'a.b/two')
name NOT IN ('a.b/one', 'a.b/two')
name = 'a.b/one' OR name = 'a.b/two'
namespace = 'a.b'
namespace IN ('a.b', 'c.d')
publisher = namespace
publisher <> namespace
version = '1.0.0'
version LIKE '0.%'
version LIKE '%-beta%'
regexp_matches(version, '^\\d+\\.\\d+\\.\\d+$')
status = 'active'
status IN ('active', 'deprecated')
status <> 'deleted'
NOT status = 'deleted'
is_latest
NOT is_latest
is_latest = true
is_latest IS TRUE
is_latest AND status = 'active'
is_latest OR status = 'deprecated'
NOT (is_latest AND status = 'active')
(is_latest OR package_count > 1) AND NOT status = 'deleted'
published_at > '2026-01-01'
published_at >= TIMESTAMPTZ '2026-01-01T00:00:00Z'
published_at < DATE '2026-06-01'
published_at BETWEEN '2025-06-01' AND '2026-06-01'
updated_at > published_at
date_diff('day', published_at, updated_at) > 30
date_diff('month', published_at, updated_at) = 0
age_days > 30
age_days BETWEEN 7 AND 365
updated_days > 2 * 365
age_days - updated_days > 10
title IS NULL
title IS NOT NULL
title = 'One'
title <> 'One'
NOT title = 'One'
length(title) > 3
trim(title) = ''
coalesce(title, '') = ''
coalesce(title, name) = name
coalesce(title, description) IS NULL
nullif(title, '') IS NULL
title IS DISTINCT FROM 'One'
title IS NOT DISTINCT FROM NULL
contains(lower(description), 'weather')
description ILIKE '%database%'
length(description) < 20
description IS NULL OR length(description) < 20
regexp_matches(description, '(?i)crypto|trading')
website_url IS NOT NULL
starts_with(website_url, 'https://')
repository_url LIKE 'https://github.com/%'
repository_source = 'github'
repository_url IS NULL AND website_url IS NULL
package_count > 0
package_count = 0 AND remote_count > 0
package_count + remote_count = 0
package_count * 2 >= remote_count
package_count - remote_count > 1
-package_count < -1
package_count % 2 = 1
package_count / 2 > 1
package_count // 2 = 1
remote_count / package_count > 1
abs(package_count - remote_count) <= 1
greatest(package_count, remote_count) > 1
least(package_count, remote_count) = 0
list_contains(registry_types, 'npm')
NOT list_contains(registry_types, 'oci')
'npm' IN registry_types
list_has_any(registry_types, ['npm', 'pypi'])
list_has_all(registry_types, ['npm', 'pypi'])
len(registry_types) = 1
len(registry_types) > 1
registry_types = ['npm']
list_contains(transports, 'sse')
list_has_any(hosts, ['example.com', 'mcp.example.com'])
absent_package_count = package_count AND package_count > 0
unknown_package_count = 0
yanked_package_count > 0
deprecated_package_count = 0
coalesce(deprecated_package_count, 0) > 0
list_contains(licenses, 'MIT')
list_has_any(licenses, ['MIT', 'Apache-2.0'])
len(licenses) = 0
ownerships = ['verified']
list_contains(ownerships, 'mismatch')
list_contains(signals, 'install_scripts')
NOT list_contains(signals, 'yanked')
list_has_any(signals, ['yanked', 'deprecated'])
repository_matches
NOT repository_matches
repository_matches IS FALSE
repository_matches IS NOT TRUE
versions_behind > 5
coalesce(versions_behind, 0) <= 5
days_behind > 90 OR versions_behind > 10
package_age_days < 7
package_published_at > published_at
downloads > 1000
downloads IS NULL OR downloads < 10
downloads NOT BETWEEN 10 AND 100
claimant_count > 1
cluster_size > 1 AND NOT is_canonical
is_canonical
canonical_name <> name
cluster_kind = 'package'
owns_repository
owns_remotes OR owns_repository
publisher_server_count > 50
publisher_rank > 20
host_server_count > 10 AND host_rank > 10
len(text_flags) > 0
list_contains(text_flags, 'look_alike')
look_alike_of IS NOT NULL
CASE WHEN package_count > 0 THEN is_latest ELSE remote_count > 0 END
CASE status WHEN 'active' THEN true WHEN 'deleted' THEN false ELSE is_latest END
CASE WHEN title = 'One' THEN true END
if(is_latest, package_count > 0, false)
(name NOT IN ('x')) <= is_latest
(status = 'active') = is_latest
title = 'One' AND title = 'Two'
title = 'One' OR is_latest
title = 'One' AND NOT is_latest
NOT (title = 'One' OR downloads > 5)
NOT NOT is_latest
package_count * 9223372036854775807 > 1
package_count * 9223372036854775807 > 1 OR is_latest
package_count * 9223372036854775807 > 1 AND is_latest
name = 'it''s'
name LIKE '100\\%%' ESCAPE '\\'
name LIKE '_.b/%'
true
false
is_latest AND true
1 < 2
'a' < 'b'
package_count BETWEEN 1 AND 2 AND is_latest
package_count NOT IN (1, 2, NULL)
package_count IN (1, NULL)
status IN ('active') IS TRUE
is_latest IS DISTINCT FROM repository_matches
name='a.b/one' -- a remark
name = 'a.b/one' /* a remark */
""".strip().splitlines()

HOSTILE = """
(SELECT true)
EXISTS (SELECT 1)
EXISTS (FROM entries)
NOT EXISTS (SELECT 1 FROM verdicts)
name IN (SELECT name FROM entries)
name IN (FROM entries)
name = (SELECT max(name) FROM entries)
name = ANY (SELECT name FROM entries)
name = ALL (SELECT 'x')
name = ANY(['x'])
(VALUES (1)) IS NOT NULL
(WITH x AS (SELECT 1) SELECT true FROM x)
name = 'a' UNION SELECT true
name = 'a'; DROP TABLE entries
; DROP TABLE entries
name = 'a'; SELECT 1
true) FROM entries; DELETE FROM verdicts; SELECT (true
true) OR (SELECT true
') OR true --
DROP TABLE entries
DELETE FROM entries
INSERT INTO entries SELECT * FROM entries
UPDATE entries SET name = 'x'
CREATE TABLE x AS SELECT 1
CREATE OR REPLACE MACRO lower(x) AS 'a'
ALTER TABLE entries ADD COLUMN x INT
TRUNCATE entries
ATTACH 'x.db'
DETACH main
USE temp
COPY entries TO '/tmp/x'
COPY entries FROM '/etc/passwd'
EXPORT DATABASE '/tmp/x'
IMPORT DATABASE '/tmp/x'
INSTALL httpfs
LOAD httpfs
PRAGMA database_list
SET memory_limit = '100GB'
RESET memory_limit
CALL pragma_version()
CHECKPOINT
VACUUM
BEGIN TRANSACTION
COMMIT
EXPLAIN SELECT 1
DESCRIBE entries
SHOW TABLES
SUMMARIZE entries
PREPARE x AS SELECT 1
EXECUTE x
read_text('/etc/passwd') = ''
read_blob('/etc/passwd') IS NULL
name = read_text('/etc/passwd')
read_csv('/etc/passwd') IS NULL
read_json('x') IS NULL
read_parquet('x') IS NULL
glob('/etc/*') IS NOT NULL
name IN (FROM read_text('/etc/*'))
name IN (FROM 'file.csv')
name IN (SELECT * FROM 'https://example.com/x.csv')
parquet_scan('x') IS NULL
sniff_csv('x') IS NULL
getenv('HOME') = 'x'
name = getenv('HOME')
current_setting('memory_limit') = ''
set_config('x', 'y', false) = ''
getvariable('x') = 1
current_user = 'x'
current_database() = 'x'
current_schema() = 'x'
current_schemas(true) IS NULL
version() = 'x'
pg_typeof(name) = 'x'
typeof(name) = 'VARCHAR'
txid_current() > 0
in_search_path('a', 'b')
pg_sleep(10) IS NULL
sleep(10)
sleep_ms(100) IS NULL
write_log('x') IS NULL
duckdb_tables() IS NULL
duckdb_settings() IS NULL
query('SELECT 1') IS NULL
query_table('entries') IS NULL
eval('1') = 1
now() > published_at
published_at < now() - INTERVAL 7 DAY
current_timestamp > published_at
current_date > published_at
today() > published_at
get_current_timestamp() > published_at
transaction_timestamp() > published_at
localtimestamp > published_at
current_time IS NULL
age(published_at) > INTERVAL 1 DAY
random() < 0.5
setseed(0.5) IS NULL
uuid() = name
gen_random_uuid() IS NULL
nextval('x') > 1
currval('x') > 1
range(1000000000) IS NULL
list_contains(range(100000000), 1)
generate_series(1, 1000000000) IS NULL
unnest(signals) = 'x'
len(repeat(name, 1000000000)) > 1
repeat('x', 1000000000) = name
lpad(name, 1000000000, 'x') = 'x'
rpad(name, 1000000000, 'x') = 'x'
printf('%1000000000d', 1) = 'x'
format('{:1000000000}', 1) = 'x'
replace(description, '', description) = 'x'
concat(description, description) = 'x'
concat_ws(description, description, description) = 'x'
concat_ws(' ', description, description) = 'x'
concat_ws(' ', concat_ws(' ', title), description) = 'x'
description || description = 'x'
list_aggregate(signals, 'string_agg', description) = 'x'
string_agg(name, ',') = 'x'
array_to_string(signals, description) = 'x'
list_transform(signals, x -> x) = []
list_filter(signals, x -> true) = []
list_reduce(signals, (x, y) -> x || y) = 'x'
list_apply(signals, lambda x: x) = []
[x FOR x IN signals] = []
list_sort(signals) = signals
list_resize(signals, 1000000000) = []
list_concat(signals, signals) = []
array_cross_product([1,2,3], [1,2,3]) IS NULL
levenshtein(description, description) = 0
damerau_levenshtein(description, name) = 0
jaccard(name, name) > 0.5
regexp_replace(description, '.', description, 'g') = 'x'
regexp_extract_all(description, '.') = []
regexp_matches(name, version)
name LIKE version
name LIKE '%_a%a%a%a%a%b'
description ILIKE '%a%b%'
{ : }
regexp_matches(name, '(a{1000}){1000}')
regexp_matches(name, '(')
regexp_full_match(name, 'x')
name ~ 'x'
name !~ 'x'
name ~* 'x'
name ~~ 'x'
name GLOB 'x*'
name SIMILAR TO 'x'
name RLIKE 'x'
count(*) > 1
count(name) > 1
max(name) = 'x'
sum(package_count) > 1
row_number() OVER () = 1
count(*) OVER () > 1
lag(name) OVER (ORDER BY name) = 'x'
first(name) = 'x'
any_value(name) = 'x'
list(name) = []
entries.name = 'x'
entry.name = 'x'
main.entries.name = 'x'
temp.deciding.name = 'x'
verdicts.feed = 'x'
nam = 'x'
rowid = 1
walk_id = 'official'
known_since < published_at
atom_0
rule_0
held
"drop" = 'x'
*
* = 1
COLUMNS('na.*') = 'x'
COLUMNS(*) = 'x'
#1 = 'x'
$1 = 'x'
$feed = 'x'
$names[1] = 'x'
? = 'x'
:feed = 'x'
@x = 1
{'a': 1}.a = 1
{'a': name} = {'a': 'x'}
row(name) = row('x')
(name, version) = ('a', 'b')
map {'a': 1} IS NULL
struct_pack(a := name).a = 'x'
name[1] = 'x'
name[1:2] = 'x'
signals[1] = 'x'
array_extract(signals, 1) = 'x'
name -> 'x' = 1
name ->> '$.x' = 'y'
json_extract(name, '$.x') IS NULL
from_json(name, '"VARCHAR"') IS NULL
name::BLOB IS NULL
CAST(name AS INTEGER) = 1
TRY_CAST(name AS INTEGER) = 1
package_count::VARCHAR = '1'
published_at::DATE > DATE '2026-01-01'
published_at > DATE 'garbage'
published_at > 'garbage'
INTERVAL 1 DAY IS NULL
published_at + INTERVAL 7 DAY > updated_at
published_at AT TIME ZONE 'UTC' IS NULL
extract(year FROM published_at) = 2026
date_part('year', published_at) = 2026
date_trunc('day', published_at) = published_at
date_diff(name, published_at, updated_at) > 3
date_diff('fortnight', published_at, updated_at) > 3
strftime(published_at, '%Y') = '2026'
epoch(published_at) > 1
make_timestamp(1) IS NULL
name COLLATE NOCASE = 'x'
md5(name) = 'x'
sha256(name) = 'x'
hash(name) = 1
encode(name) IS NULL
base64(encode(name)) = 'x'
chr(1) = name
unicode(name) = 1
bar(1, 2, 3) = 'x'
error('x') IS NULL
try(name) = 'x'
coalesce(error('x'), true)
alias(name) = 'x'
stats(name) = 'x'
vector_type(name) = 'x'
name
package_count
package_count + 1
signals
NULL
'x'
1
name IN ()
name =
name = 'a
(name = 'a'
name = 'a')
AND name = 'a'
name = 'a' AND
name == = 'a'
SELECT
SELECT name = 'a'
FROM entries
VALUES (true)
TABLE entries
name BETWEEN 'a'
CASE WHEN is_latest END
lower()
lower(name, name) = 'x'
nosuchfunction(name)
main.lower(name) = 'x'
system.main.lower(name) = 'x'
list_contains(name, 'x')
published_at > 5
package_count = 'x'
is_latest + 1 = 2
""".strip("\n").splitlines()
