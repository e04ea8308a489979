// Replaces Prisma's command line for LiteLLM, for machines that cannot download Prisma's native engines:
//   prisma migrate deploy                            applies ./migrations to DATABASE_URL
//   prisma migrate resolve --applied|--rolled-back M settles a failed migration
//   prisma generate [--schema FILE]                  generates the Python client with Prisma's own code from npm
//   prisma --version
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const words = process.argv.slice(2)
const command = words.filter((word) => !word.startsWith('-')).slice(0, 2).join(' ')

// Prisma's own command line only checks that its native engines exist; the generated client does not need them.
function generate(schemaFile) {
  const folder = mkdtempSync(join(tmpdir(), 'prisma-'))
  try {
    const schema = join(folder, 'schema.prisma')
    writeFileSync(schema, readFileSync(schemaFile, 'utf8').replace(/^\s*binaryTargets.*$/m, '')) // they make it download engines for other systems
    const standIn = here('bin/query-engine')
    const env = {
      ...process.env,
      PRISMA_QUERY_ENGINE_BINARY: standIn,
      PRISMA_SCHEMA_ENGINE_BINARY: standIn,
      PRISMA_CLI_QUERY_ENGINE_TYPE: 'binary',
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1', // do not ask Prisma's host for news
    }
    const options = { env, stdio: 'inherit' }
    return spawnSync(process.execPath, [here('node_modules/prisma/build/index.js'), 'generate', '--schema', schema], options).status ?? 1
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function deploy() {
  const { migrate } = await import('./lib/migrate.mjs')
  const applied = await migrate('migrations', process.env.DATABASE_URL)
  console.log(applied.length ? `${applied.length} migrations applied` : 'No pending migrations to apply.')
}

async function settle() {
  const decision = words.find((word) => ['--applied', '--rolled-back'].includes(word))
  if (!decision) throw new Error('say --applied or --rolled-back, and which migration')
  const { resolve } = await import('./lib/migrate.mjs')
  await resolve(words[words.indexOf(decision) + 1], decision, process.env.DATABASE_URL)
}

try {
  if (words.includes('--version')) console.log('prisma : 5.17.0 (stand-in of the role litellm_gateway)')
  else if (command === 'migrate deploy') await deploy()
  else if (command.startsWith('migrate resolve')) await settle()
  else if (command.startsWith('generate')) process.exitCode = generate(words.includes('--schema') ? words[words.indexOf('--schema') + 1] : 'schema.prisma')
  else throw new Error(`"prisma ${words.join(' ')}" needs Prisma's native engines: set litellm_gateway_engine=native where they can be downloaded`)
} catch (error) {
  console.error(`Error: ${error.message || error}`) // a refused connection has no message
  process.exitCode = 1
}
