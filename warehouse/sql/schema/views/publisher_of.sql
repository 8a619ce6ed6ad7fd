-- publisher_of(NAME): the owner of a name's namespace: an account of a code host, a tenant of a hosting platform,
-- else the registered domain, as far as its form shows it.
CREATE OR REPLACE MACRO publisher_of(name) AS regexp_extract(lower(name), '^((io\.(github|gitlab)|dev\.(workers|pages|fly|deno)|app\.(vercel|netlify|web)|com\.(trycloudflare|herokuapp|onrender|azurewebsites)|[a-z]{2}\.(co|com|net|org|gov|edu|ac))\.[^./]+|[^./]+\.[^./]+|[^/]+)', 1)
