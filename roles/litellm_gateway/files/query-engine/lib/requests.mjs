// The answers of the query engine to HTTP requests. An answer is { status, body }; a body that is text is already JSON.
import { setTimeout as sleep } from 'node:timers/promises'

import { TRACE } from './engine.mjs'
import { answerOf, rawAnswerText, readModels, translate } from './protocol.mjs'

const DEFAULT_MAX_WAIT_MILLISECONDS = 2000
const LATE = Symbol('late')

export class Requests {
  constructor({ datamodel, engine, database, log, logQueries }) {
    Object.assign(this, { models: readModels(datamodel), engine, database, log, logQueries })
    this.userFacing = (error) => database.userFacing(error)
  }

  async answer(path, text, headers) {
    if (path === '/status') return { status: 200, body: { status: 'ok' } }
    if (path === '/metrics') return { status: 200, body: { counters: [], gauges: [], histograms: [] } }
    if (path === '/transaction/start') return this.startTransaction(text)
    const [, id, ending] = path.match(/^\/transaction\/([\w-]+)\/(commit|rollback)$/) ?? []
    if (ending) return this.transactionAnswer(await this.engine[`${ending}Transaction`](id, TRACE))
    if (path === '/') return { status: 200, body: await this.runQuery(JSON.parse(text), headers['x-transaction-id']) }
    return { status: 404, body: { error: `nothing at ${path}` } }
  }

  // prisma-client-py reads errors from a body with status 200, as the native engine sends them.
  failure(error) {
    return { status: 200, body: { data: null, errors: [{ error: String(error), user_facing_error: this.userFacing({ message: String(error) }) }] } }
  }

  async runQuery({ query, batch, transaction }, transactionId) {
    const operations = (batch ?? [{ query }]).map((item) => translate(this.models, item.query))
    const bodies = operations.map((operation) => operation.body)
    const request = JSON.stringify(batch ? { batch: bodies, transaction: transaction ? {} : undefined } : bodies[0])
    const text = await this.engine.query(request, TRACE, transactionId)
    this.logQueries(request, '->', text)

    const [first] = operations
    const raw = !batch && first.isRaw && rawAnswerText(text, first)
    if (raw) return raw
    const answer = JSON.parse(text)
    if (!batch || answer.errors) return answerOf(answer, first, this.userFacing)
    return { batchResult: answer.batchResult.map((result, index) => answerOf(result, operations[index], this.userFacing)) }
  }

  transactionAnswer(text) {
    const answer = JSON.parse(text || '{}')
    if (!answer.message) return { status: 200, body: answer }
    const status = [[/not found/, 404], [/already closed/, 422]].find(([words]) => words.test(answer.message))?.[1] ?? 500
    return { status, body: this.userFacing(answer) }
  }

  // The engine would wait for a connection for ever. A transaction that starts too late is rolled back.
  async startTransaction(options) {
    const { max_wait: maxWait = DEFAULT_MAX_WAIT_MILLISECONDS } = JSON.parse(options)
    const starting = this.engine.startTransaction(options, TRACE)
    const timer = new AbortController()
    const first = await Promise.race([starting, sleep(maxWait, LATE, { signal: timer.signal }).catch(() => LATE)])
    timer.abort()
    if (first !== LATE) return this.transactionAnswer(first)
    starting
      .then((text) => JSON.parse(text).id && this.engine.rollbackTransaction(JSON.parse(text).id, TRACE))
      .catch((error) => this.log('a late transaction could not be rolled back:', error))
    const message = 'Transaction API error: Unable to start a transaction in the given time.'
    return { status: 504, body: this.userFacing({ error_code: 'P2028', message }) }
  }
}
