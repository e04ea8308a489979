// Prisma keeps settings of its own in the database URL; "pg" must not see them.
const PRISMA_SETTINGS = ['connection_limit', 'connect_timeout', 'pgbouncer', 'pool_timeout', 'schema', 'socket_timeout', 'statement_cache_size']

// -> { connectionString, settings: { schema, connection_limit, ... } }, settings as text and only those that are there.
export function splitUrl(url) {
  const [base, query = ''] = url.split(/\?(.*)/s)
  const parameters = new URLSearchParams(query)
  const settings = {}
  for (const name of PRISMA_SETTINGS) {
    if (parameters.has(name)) settings[name] = parameters.get(name)
    parameters.delete(name)
  }
  return { connectionString: parameters.size ? `${base}?${parameters}` : base, settings }
}
