// Translate between the two protocols of Prisma's engines: prisma-client-py sends GraphQL, and the WebAssembly engine
// understands the JSON protocol only. Pure functions.
import { parse } from 'graphql/language/parser.js' // the parser alone loads faster than the whole package

const ACTIONS = [
  'queryRaw', 'executeRaw', 'findUnique', 'findFirst', 'findMany', 'createOne', 'createMany', 'updateOne', 'updateMany',
  'upsertOne', 'deleteOne', 'deleteMany', 'aggregate', 'groupBy',
]
const OPERATION = new RegExp(`^(${ACTIONS.join('|')})(\\w*?)(OrThrow)?$`)

// In a filter on a JSON column the values of these are plain text, not JSON written as text.
const TEXT_IN_A_JSON_FILTER = new Set(['path', 'mode', 'string_contains', 'string_starts_with', 'string_ends_with'])

// Return the fields of a Prisma schema: a Map of model -> Map of field -> type.
export function readModels(datamodel) {
  const models = new Map()
  for (const [, model, body] of datamodel.matchAll(/^model\s+(\w+)\s*\{([\s\S]*?)^\}/gm)) {
    models.set(model, new Map([...body.matchAll(/^\s*(\w+)\s+(\w+)/gm)].map(([, field, type]) => [field, type])))
  }
  return models
}

// Return the JavaScript value of a node of the syntax tree. Integers above 2^53 become BigInt, to stay exact.
function valueOf(node) {
  switch (node.kind) {
    case 'ObjectValue': return Object.fromEntries(node.fields.map((field) => [field.name.value, valueOf(field.value)]))
    case 'ListValue': return node.values.map(valueOf)
    case 'IntValue': return Number.isSafeInteger(Number(node.value)) ? Number(node.value) : BigInt(node.value)
    case 'FloatValue': return Number(node.value)
    case 'NullValue': return null
    default: return node.value // text, boolean, enum
  }
}

// Mark JSON values and big integers with their type, as the JSON protocol requires. GraphQL sends a JSON value as text and a number
// without its type, so both come from the schema. "scalar" is the type of the field that the value belongs to; without it, the
// keys of an object are fields of the model.
function mark(models, value, model, scalar) {
  if (typeof value === 'bigint') return scalar === 'BigInt' ? { $type: 'BigInt', value: String(value) } : Number(value)
  if (typeof value === 'string') return scalar === 'Json' ? { $type: 'Json', value } : value
  if (Array.isArray(value)) return value.map((item) => mark(models, item, model, scalar))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => {
    const inFilter = TEXT_IN_A_JSON_FILTER.has(key) ? 'String' : scalar
    const type = scalar ? inFilter : models.get(model)?.get(key)
    return [key, models.has(type) ? mark(models, item, type) : mark(models, item, model, type)]
  }))
}

const argumentsOf = (models, node, model) =>
  Object.fromEntries((node.arguments ?? []).map(({ name, value }) => [name.value, mark(models, valueOf(value), model)]))

function selectionOf(models, node, model) {
  return Object.fromEntries((node.selectionSet?.selections ?? []).map((field) => {
    const related = models.get(model)?.get(field.name.value)
    const nested = () => ({ arguments: argumentsOf(models, field, related), selection: selectionOf(models, field, related) })
    return [field.name.value, field.selectionSet ? nested() : true]
  }))
}

// Translate one GraphQL operation. Returns { body: the query in the JSON protocol, alias: the name of its answer, isRaw: whether
// it is written in SQL }.
export function translate(models, graphql) {
  const [field, ...more] = parse(graphql, { noLocation: true }).definitions[0].selectionSet.selections
  if (more.length) throw new Error('several operations in one query: send them as a batch')
  const [, action, modelName, orThrow = ''] = field.name.value.match(OPERATION) ?? []
  if (!action) throw new Error(`unknown operation ${field.name.value}`)
  const query = { arguments: argumentsOf(models, field, modelName), selection: selectionOf(models, field, modelName) }
  return {
    alias: field.alias?.value ?? field.name.value,
    isRaw: !modelName,
    body: { modelName: modelName || undefined, action: action + orThrow, query },
  }
}

// Return marked values as GraphQL clients expect them: numbers as numbers if they are exact, everything else as text.
function unmark(value) {
  if (Array.isArray(value)) return value.map(unmark)
  if (value === null || typeof value !== 'object') return value
  if ('$type' in value) return value.$type === 'BigInt' && Number.isSafeInteger(Number(value.value)) ? Number(value.value) : value.value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unmark(item)]))
}

// Return the answer that the native engine would have given to one operation. "userFacing" completes an error.
export function answerOf(answer, { alias, isRaw }, userFacing) {
  if (answer.errors) {
    return { data: null, errors: answer.errors.map(({ error, user_facing_error }) => ({ error, user_facing_error: userFacing(user_facing_error) })) }
  }
  const [value] = Object.values(answer.data)
  return { data: { [alias]: isRaw ? value : unmark(value) } } // a raw row keeps its types: the client reads them
}

// The same for the text of a raw answer, or null if the text is not one. It is not parsed, as JavaScript would turn 1.0 into 1.
export function rawAnswerText(text, { alias }) {
  const data = text.match(/^\{"data":\{"\w+":(.*)\}\}$/s)
  return data && `{"data":{${JSON.stringify(alias)}:${data[1]}}}`
}
