// The pool of connections, Prisma's adapter on top of it, and the errors that Prisma's native engine would report.
import { PrismaPg } from '@prisma/adapter-pg'
import { bindAdapter } from '@prisma/driver-adapter-utils'
import pg from 'pg'

const DEFAULT_CONNECTIONS = 10
const DEFAULT_POOL_TIMEOUT_SECONDS = 10
const IDLE_MILLISECONDS = 60_000

// Column types that the adapter does not accept, and the type to read each of them as (numbers are pg_type.oid).
const TEXT = 25
const TEXT_ARRAY = 1009
const TIMESTAMP_ARRAY = 1115
const READ_AS = new Map([
  [18, TEXT], [19, TEXT], [2205, TEXT], // "char", name, regclass
  [1002, TEXT_ARRAY], [1003, TEXT_ARRAY], [2210, TEXT_ARRAY], // their arrays
  [1185, TIMESTAMP_ARRAY], // timestamptz[]
])
const TEXT_ARRAYS = [199, 1002, 1003, 2210, 3807] // json[], "char"[], name[], regclass[], jsonb[]
const TIMESTAMPTZ_ARRAY = 1185

function readTypes() {
  const parseTextArray = pg.types.getTypeParser(TEXT_ARRAY)
  for (const oid of TEXT_ARRAYS) pg.types.setTypeParser(oid, parseTextArray)
  pg.types.setTypeParser(TIMESTAMPTZ_ARRAY, (text) => parseTextArray(text).map((time) => time?.replace(/\+00$/, '') ?? null))
}

const CONNECTION_LOST = /^(08\w{3}|57P0[123])$/ // SQLSTATE: connection exceptions, shutdown, crash, cannot connect now

// Patch the adapter: report lost connections as such, and read the column types above as others.
function watchQueries() {
  const queryable = Object.getPrototypeOf(PrismaPg.prototype)
  const { performIO } = queryable
  queryable.performIO = async function (query) {
    const result = await performIO.call(this, query)
    if (!result.ok && CONNECTION_LOST.test(result.error.code)) {
      throw Object.assign(new Error(result.error.message), { code: result.error.code }) // the query did not cause it
    }
    for (const field of result.value?.fields ?? []) field.dataTypeID = READ_AS.get(field.dataTypeID) ?? field.dataTypeID
    return result
  }
}

export class Database {
  constructor(url, log) {
    const settings = new URLSearchParams(url.split('?')[1]) // Prisma's settings among those of the database; "pg" ignores them
    const schema = settings.get('schema') ?? 'public'
    this.connections = Number(settings.get('connection_limit') ?? DEFAULT_CONNECTIONS)
    this.poolTimeout = Number(settings.get('pool_timeout') ?? DEFAULT_POOL_TIMEOUT_SECONDS)
    const options = {
      connectionString: url,
      max: this.connections,
      connectionTimeoutMillis: this.poolTimeout * 1000,
      idleTimeoutMillis: IDLE_MILLISECONDS,
      options: `-c TimeZone=UTC -c search_path="${schema}"`, // the adapter drops the offset of a timestamptz, so it must be zero
    }
    const { host, port } = new pg.Client(options)
    Object.assign(this, { host, port })

    readTypes()
    watchQueries()
    this.pool = new pg.Pool(options)
    this.pool.on('error', (error) => log('idle connection lost:', error.message))
    this.pool.on('connect', (client) => client.on('error', () => {})) // the query that runs on a lost connection reports the error
    this.adapter = bindAdapter(new PrismaPg(this.pool, { schema }))
  }

  // Return the error for the user. Of an error in the adapter the engine only knows the number under which the adapter keeps it.
  userFacing(error) {
    const known = { is_panic: false, message: 'Unknown error', ...error, meta: error?.meta ?? {} } // the client expects meta
    if (known.error_code !== 'P2036') return known
    const happened = this.adapter.errorRegistry.registeredErrors
    const cause = happened[known.meta.id]?.error ?? { message: known.message }
    delete happened[known.meta.id]
    return { ...known, ...this.connectionError(String(cause.code), String(cause.message || cause)) }
  }

  // Return the error that the native engine reports for a lost or unreachable database. LiteLLM decides by its code whether to reconnect.
  connectionError(code, text) {
    const place = { database_host: this.host, database_port: this.port }
    if (/timeout exceeded when trying to connect/.test(text)) {
      const message = 'Timed out fetching a new connection from the connection pool.'
      return { error_code: 'P2024', message, meta: { connection_limit: this.connections, timeout: this.poolTimeout } }
    }
    if (/^57P0[12]$/.test(code) || /terminated unexpectedly|not queryable/.test(text)) {
      return { error_code: 'P1017', message: 'Server has closed the connection.', meta: place }
    }
    if (/^E[A-Z]+$|^08|^57P03$/.test(code) || /timeout/.test(text)) {
      return { error_code: 'P1001', message: `Can't reach database server at \`${this.host}:${this.port}\` (${text})`, meta: place }
    }
    return { error_code: 'P2036', message: text, meta: place }
  }

  async close() {
    await this.pool.end()
  }
}
