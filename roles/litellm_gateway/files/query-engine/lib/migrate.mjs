// "prisma migrate deploy" without Prisma's native schema engine. It uses the same files, the same table and the same lock.
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import pg from 'pg'

// Prisma locks the same number while it migrates. Newer releases of LiteLLM hold that lock themselves around this program, and say
// so in PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK, as they do to Prisma's own.
const ADVISORY_LOCK = 72707369
const LEDGER = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL,
  logs TEXT, rolled_back_at TIMESTAMPTZ, started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`

async function apply(client, name, script) {
  const id = randomUUID()
  const checksum = createHash('sha256').update(script).digest('hex')
  await client.query('INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ($1, $2, $3)', [id, checksum, name])
  try {
    await client.query(script.toString()) // a script is one implicit transaction, as in Prisma
  } catch (error) {
    await client.query('UPDATE _prisma_migrations SET logs = $2 WHERE id = $1', [id, String(error)])
    throw new Error(`P3018\n\nA migration failed to apply.\n\nMigration name: ${name}\n\nDatabase error:\n${error.message}`)
  }
  await client.query('UPDATE _prisma_migrations SET finished_at = now(), applied_steps_count = 1 WHERE id = $1', [id])
}

// Apply each folder/<name>/migration.sql that has not been applied, in the order of the names, and return the names.
// Throws P3009 if an earlier migration has failed half-way and P3018 if one fails now: LiteLLM recognises both.
export async function migrate(folder, url) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    if (!process.env.PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK) await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK])
    await client.query(LEDGER)
    const { rows } = await client.query('SELECT migration_name, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL')
    const failed = rows.find((row) => row.finished_at === null)
    if (failed) throw new Error(`P3009\n\nmigrate found failed migrations: the \`${failed.migration_name}\` migration failed`)
    const applied = new Set(rows.map((row) => row.migration_name))
    const pending = readdirSync(folder).sort().filter((name) => !applied.has(name) && existsSync(join(folder, name, 'migration.sql')))
    for (const name of pending) await apply(client, name, readFileSync(join(folder, name, 'migration.sql')))
    return pending
  } finally {
    await client.end() // releases the lock too
  }
}

// "prisma migrate resolve": record that a failed migration counts as applied or as rolled back.
export async function resolve(name, decision, url) {
  const column = { '--applied': 'finished_at', '--rolled-back': 'rolled_back_at' }[decision]
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`UPDATE _prisma_migrations SET ${column} = now() WHERE migration_name = $1 AND finished_at IS NULL AND rolled_back_at IS NULL`, [name])
  } finally {
    await client.end()
  }
}
