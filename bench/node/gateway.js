// What Tollgate does in the bench, as a Node team would build it: Fastify, its proxy and its rate
// limit with Redis, one process per core, one JSON line a request.
// `node gateway.js CONFIG`, where CONFIG is JSON written by harness.py from ../node.json.

import cluster from 'node:cluster'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import httpProxy from '@fastify/http-proxy'
import rateLimit from '@fastify/rate-limit'
import Fastify from 'fastify'
import Redis from 'ioredis'
import pino from 'pino'

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'))

// Who is calling: a client by the key's text, which is cheaper than the hash that Tollgate makes.
const clients = new Map([[config.key, 'bench']])

if (cluster.isPrimary) {
  for (let number = 0; number < config.workers; number++) cluster.fork()
  // A worker that ends early would leave the others to do its work unnoticed.
  cluster.on('exit', (worker, code) => process.exit(code || 1))
  process.on('SIGTERM', () => process.exit(0))
} else {
  await serve()
}

async function serve() {
  const app = Fastify({ genReqId: () => randomUUID(), disableRequestLogging: true })
  app.decorateRequest('client', '')
  app.addHook('onRequest', identify)
  app.addHook('onResponse', accessLog())
  await app.register(rateLimit, {
    // Counted for every request, with a limit that refuses nobody.
    max: 1_000_000_000,
    timeWindow: '1 minute',
    keyGenerator: (request) => request.client,
    // Commands of one turn of the event loop go out together. Measured: half of Redis' CPU time,
    // and no difference in this process's.
    redis: new Redis(config.redis, { enableAutoPipelining: true }),
    nameSpace: 'bench-node:',
  })
  await app.register(httpProxy, {
    upstream: config.upstream,
    prefix: '/api/inventory',
    rewritePrefix: '/',
    undici: { connections: 256, pipelining: 1, keepAliveTimeout: 60_000 },
    replyOptions: { rewriteRequestHeaders },
  })
  await app.listen({ host: '127.0.0.1', port: config.port, backlog: 1024 })
}

async function identify(request, reply) {
  const client = clients.get(request.headers['x-api-key'])
  if (client === undefined) return reply.code(401).send({ error: 'unauthorized' })
  request.client = client
  reply.header('x-request-id', request.id)
}

function rewriteRequestHeaders(request, headers) {
  const { 'x-api-key': _, ...rest } = headers
  const host = request.headers.host
  return {
    ...rest,
    host,
    'x-client-id': request.client,
    'x-request-id': request.id,
    'x-real-ip': request.ip,
    'x-forwarded-for': request.ip,
    'x-forwarded-proto': 'http',
    'x-forwarded-host': host,
    'x-forwarded-prefix': '/api/inventory',
    via: '1.1 node',
  }
}

function accessLog() {
  const file = { dest: config.log, sync: false, minLength: 8192, periodicFlush: 1000 }
  const log = pino({ base: undefined }, pino.destination(file))
  return async (request, reply) => {
    log.info({
      request_id: request.id,
      client: request.client,
      ip: request.ip,
      method: request.method,
      host: request.host,
      path: request.url,
      route: '/api/inventory',
      status: reply.statusCode,
      duration_ms: reply.elapsedTime,
      user_agent: request.headers['user-agent'],
    })
  }
}
