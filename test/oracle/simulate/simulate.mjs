// Answers authorization cases, one JSON object a line, with iam-simulate: allow, explicitDeny or implicitDeny a line.
//
//   node simulate.mjs FOLDER < cases        FOLDER holds node_modules
//
// It calls the package's evaluator below its validation, so that a condition key or an action that it has not heard of is a question too.
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const load = (name, file) => import(pathToFileURL(join(process.argv[2], 'node_modules/@cloud-copilot', name, 'dist/esm', file)))
const { authorize } = await load('iam-simulate', 'core_engine/CoreSimulatorEngine.js')
const { AwsRequestImpl } = await load('iam-simulate', 'request/request.js')
const { RequestContextImpl } = await load('iam-simulate', 'requestContext.js')
const { DiscoveryContextKeyConstraints } = await load('iam-simulate', 'context_keys/discoveryContextKeyConstraints.js')
const { loadPolicy } = await load('iam-policy', 'index.js')

const outcomes = { Allowed: 'allow', ExplicitlyDenied: 'explicitDeny', ImplicitlyDenied: 'implicitDeny' }
const multivalued = new Set(['aws:tagkeys'])
const loaded = new Map()

// Several questions are asked about the same documents.
const policy = (document) => {
  const text = JSON.stringify(document)
  if (!loaded.has(text)) loaded.set(text, loadPolicy(document, { name: 'p' }))
  return loaded.get(text)
}
const list = (statement) => [statement].flat()
const levels = (documents) => documents.map((level, i) => ({ orgIdentifier: `level-${i}`, policies: level.map(policy) }))
// It takes one session policy; several mean their union.
const union = (documents) => ({ Version: '2012-10-17', Statement: documents.flatMap((d) => list(d.Statement)) })

function answer({ policies, principal, request }) {
  const context = {}
  for (const [key, values] of Object.entries(request.context)) {
    context[key] = values.length === 1 && !multivalued.has(key.toLowerCase()) ? values[0] : values
  }
  const caller = principal.type === 'anonymous' ? { type: 'Anonymous' } : principal.arn
  const resource = policies.trust ?? policies.resource
  const { result } = authorize({
    request: new AwsRequestImpl(
      caller, { resource: request.resource, accountId: request.resourceAccount }, request.action, new RequestContextImpl(context), false,
    ),
    sessionPolicy: policies.session.length > 0 ? policy(union(policies.session)) : undefined,
    identityPolicies: policies.identity.map(policy),
    serviceControlPolicies: levels(policies.scp),
    resourceControlPolicies: levels(policies.rcp),
    resourcePolicy: resource ? policy(resource) : undefined,
    permissionBoundaries: policies.boundary.length > 0 ? policies.boundary.map(policy) : undefined,
    vpcEndpointPolicies: undefined,
    simulationParameters: { simulationMode: 'Strict', discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]) },
    serviceSettings: { s3: {} },
  })
  return outcomes[result] ?? result
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line)
  let said
  try {
    said = answer(question)
  } catch (e) {
    said = `error: ${e.message}`
  }
  loaded.size > 64 && loaded.clear()
  process.stdout.write(said + '\n')
}
