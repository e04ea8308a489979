// Prisma's own query engine, compiled to WebAssembly, for PostgreSQL.
import { readFileSync } from 'node:fs'

const FOLDER = new URL('../node_modules/@prisma/query-engine-wasm/postgresql/', import.meta.url)
export const VERSION = '393aa359c9ad4a4bb28630fb5613f9c281cde053' // the commit that prisma-client-py 0.15 asks for
export const TRACE = '{}'

export async function startEngine(datamodel, adapter, log) {
  const bindings = await import(new URL('query_engine_bg.js', FOLDER))
  const program = readFileSync(new URL('query_engine_bg.wasm', FOLDER))
  const { instance } = await WebAssembly.instantiate(program, { './query_engine_bg.js': bindings })
  bindings.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start?.()

  const withoutGenerators = datamodel.replace(/^generator\s+\w+\s*\{[^}]*\}/gm, '')
  const engine = new bindings.QueryEngine({ datamodel: withoutGenerators, logLevel: 'error' }, log, adapter)
  await engine.connect(TRACE)
  return engine
}
