-- Namespaces that others might imitate: vendors and projects that publish servers of their own.
CREATE OR REPLACE VIEW well_known AS
SELECT unnest([
    'ai.smithery', 'app.linear', 'com.amazonaws', 'com.anthropic', 'com.apify', 'com.asana', 'com.atlassian',
    'com.auth0', 'com.box', 'com.canva', 'com.cloudflare', 'com.datadoghq', 'com.docker', 'com.dropbox',
    'com.elastic', 'com.figma', 'com.github', 'com.gitlab', 'com.google', 'com.googleapis', 'com.hubspot',
    'com.intercom', 'com.jetbrains', 'com.microsoft', 'com.mongodb', 'com.monday', 'com.netlify', 'com.notion',
    'com.openai', 'com.paypal', 'com.postman', 'com.pulsemcp', 'com.redis', 'com.salesforce', 'com.shopify',
    'com.slack', 'com.snowflake', 'com.square', 'com.stripe', 'com.supabase', 'com.twilio', 'com.vercel',
    'com.webflow', 'com.zapier', 'dev.sentry', 'io.modelcontextprotocol', 'io.sentry', 'org.postgresql',
    'io.github.anthropics', 'io.github.atlassian', 'io.github.awslabs', 'io.github.azure', 'io.github.brave',
    'io.github.browserbase', 'io.github.chromedevtools', 'io.github.cloudflare', 'io.github.elastic',
    'io.github.figma', 'io.github.github', 'io.github.google', 'io.github.googleapis', 'io.github.grafana',
    'io.github.hashicorp', 'io.github.huggingface', 'io.github.jetbrains', 'io.github.makenotion',
    'io.github.microsoft', 'io.github.modelcontextprotocol', 'io.github.mongodb', 'io.github.neo4j',
    'io.github.openai', 'io.github.redis', 'io.github.sentry', 'io.github.shopify', 'io.github.stripe',
    'io.github.supabase', 'io.github.upstash', 'io.github.vercel'
]) AS namespace
