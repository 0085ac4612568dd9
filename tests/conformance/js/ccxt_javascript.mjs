// ccxt in JavaScript against the emulator, with nothing changed but its addresses: one line of JSON per capability.
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'

const setting = JSON.parse(process.env.CONFORMANCE)
const ccxt = createRequire(setting.modules)('ccxt')
const SECONDS = 15
const SPOT = `${setting.base}/USDT`
const PERP = `${SPOT}:USDT`
const QUIET = `${setting.quiet.replace(/USDT$/, '')}/USDT:USDT`

function connect() {
  const { futures, spot } = setting
  const client = new ccxt.pro.aster({ privateKey: setting.key })
  const api = client.urls.api
  for (const name of ['fapiPublic', 'fapiPrivate']) api[name] = `http://${futures}/fapi`
  for (const name of ['sapiPublic', 'sapiPrivate']) api[name] = `http://${spot}/api`
  // The client tells the markets' streams apart by "fstream" in their addresses.
  for (const [kind, path] of [['public', 'stream'], ['private', 'ws']]) {
    api.ws[kind] = { spot: `ws://${spot}/sstream/${path}`, swap: `ws://${futures}/fstream/${path}` }
  }
  return client
}

const client = connect()
// The client's own preparation for addresses without TLS.
await client.loadHttpProxyAgent()

async function report(capability, attempt) {
  const line = { capability }
  const late = new AbortController()
  try {
    line.result = await Promise.race([
      attempt(),
      sleep(SECONDS * 1000, undefined, { signal: late.signal }).then(() => {
        throw new Error(`nothing in ${SECONDS} s`)
      }),
    ])
  } catch (error) {
    line.error = `${error.constructor.name}: ${error.message}`.slice(0, 400)
  } finally {
    late.abort()
  }
  process.stdout.write(JSON.stringify(line) + '\n')
}

async function eventually(read, done) {
  let found
  for (let attempt = 0; attempt < 50; attempt += 1) {
    found = await read()
    if (done(found)) return found
    await sleep(100)
  }
  throw new Error(`still ${JSON.stringify(found.info)}`)
}

const each = (symbols, read) => Promise.all(symbols.map(read))
const touch = (book) => [book.bids[0][0], book.asks[0][0]]

async function markets() {
  const found = Object.values(await client.loadMarkets())
  const [spot, perp] = [client.market(SPOT), client.market(PERP)]
  return {
    spot: found.filter((row) => row.spot).map((row) => row.id).sort(),
    perp: found.filter((row) => row.swap).map((row) => row.id).sort(),
    tick: perp.precision.price,
    lots: [spot.precision.amount, perp.precision.amount],
    least: [spot.limits.cost.min, perp.limits.cost.min],
  }
}

async function fundingRate() {
  const row = await client.fetchFundingRate(PERP)
  const interval = (await client.fetchFundingIntervals([PERP]))[PERP].interval
  return { rate: row.fundingRate, next: row.nextFundingTimestamp, hours: interval.replace('h', '') }
}

async function limitOrder(symbol, name) {
  const placed = await client.createOrder(symbol, 'limit', 'buy', 1, 90, { clientOrderId: name })
  const queried = await eventually(() => client.fetchOrder(placed.id, symbol), (order) => order.status === 'open')
  const listed = await client.fetchOpenOrders(symbol)
  const cancelled = await client.cancelOrder(placed.id, symbol)
  return {
    id: placed.id,
    queried: [queried.clientOrderId, queried.price, queried.amount, queried.side],
    listed: listed.map((order) => order.id),
    end: cancelled.status,
  }
}

async function order(symbol, kind, side, name, price, extra) {
  const placed = await client.createOrder(symbol, kind, side, 2, price, { clientOrderId: name, ...extra })
  const end = await eventually(() => client.fetchOrder(placed.id, symbol), (found) => found.status !== 'open')
  return { id: placed.id, filled: end.filled, average: end.average, end: end.status }
}

async function stopOrder() {
  const asked = { clientOrderId: 'stop', triggerPrice: 90, reduceOnly: true }
  const placed = await client.createOrder(PERP, 'market', 'sell', 1, undefined, asked)
  const queried = await client.fetchOrder(placed.id, PERP)
  const cancelled = await client.cancelOrder(placed.id, PERP)
  return [placed.id, queried.triggerPrice, cancelled.status]
}

async function batch() {
  const asked = [['batch-1', 90], ['batch-2', 91], ['batch-3', 200]].map(([name, price]) => ({
    symbol: PERP, type: 'limit', side: 'buy', amount: 1, price, params: { clientOrderId: name },
  }))
  const placed = await client.createOrders(asked)
  const cancelled = await client.cancelAllOrders(PERP)
  return [placed.map((each) => each.id !== undefined), cancelled.length > 0]
}

async function refusal() {
  try {
    await client.createOrder(SPOT, 'limit', 'buy', 500, 100)
  } catch (error) {
    if (error instanceof ccxt.InsufficientFunds) return error.constructor.name
    throw error
  }
  return 'accepted'
}

async function trades(symbol) {
  const rows = await client.fetchMyTrades(symbol)
  return rows.map((row) => [row.id, row.order, row.side, row.price, row.amount, row.fee.cost])
}

async function leverage() {
  await client.setLeverage(3, PERP)
  return (await client.fetchLeverages([PERP]))[PERP].longLeverage
}

async function marginType() {
  await client.setMarginMode('isolated', QUIET)
  return (await client.fetchMarginModes())[QUIET].marginMode
}

async function positions() {
  const rows = (await client.fetchPositions()).filter((row) => row.contracts)
  return Object.fromEntries(rows.map((row) => [row.info.symbol, [row.side, row.contracts]]))
}

async function transfer() {
  const there = await client.transfer('USDT', 25, 'spot', 'swap')
  const back = await client.transfer('USDT', 5, 'swap', 'spot')
  return [there.id, back.id]
}

async function income() {
  const payments = await client.fetchFundingHistory()
  const rows = await client.fetchLedger('USDT')
  return { funding: payments.map((row) => row.amount), rows: rows.length }
}

async function bookStream(symbol) {
  const row = (await client.watchBidsAsks([symbol]))[symbol]
  return [row.bid, row.ask]
}

// Each waits twice: these streams speak also where nothing changes.
async function twice(watch) {
  return [await watch(), await watch()]
}

// A client of its own: it hands statistics to callers that wait for a mark price of the same symbol.
async function tickerStream(symbol) {
  const own = connect()
  await own.loadHttpProxyAgent()
  const found = await twice(async () => (await own.watchTicker(symbol)).last)
  await own.close()
  return found
}

async function userStream(symbol, name) {
  const waiting = client.watchOrders(symbol)
  // It may be refused before the order is sent: that is heard of below.
  waiting.catch(() => undefined)
  const refused = await Promise.race([waiting.then(() => undefined, (error) => error), sleep(1000)])
  if (refused) throw refused
  const placed = await client.createOrder(symbol, 'limit', 'buy', 1, 90, { clientOrderId: name })
  const heard = (await waiting)[0]
  await client.cancelOrder(placed.id, symbol)
  return [heard.id, heard.clientOrderId]
}

await report('markets', markets)
await report('funding rate', fundingRate)
await report('settled rates', async () => {
  const rows = await client.fetchFundingRateHistory(PERP, undefined, 3)
  return rows.map((row) => [row.timestamp, row.fundingRate])
})
await report('books', async () => (await each([SPOT, PERP], (symbol) => client.fetchOrderBook(symbol, 5))).map(touch))
await report('tickers', async () => (await each([SPOT, PERP], (symbol) => client.fetchTicker(symbol))).map((t) => t.last))
await report('candles', async () =>
  (await each([SPOT, PERP], (symbol) => client.fetchOHLCV(symbol, '1h', undefined, 3))).map((rows) => rows.at(-1)[4])
)
await report('balances', async () => [
  (await client.fetchBalance()).USDT.total,
  (await client.fetchBalance({ type: 'swap' })).USDT.total,
])
await report('builder', async () =>
  (await client.fapiPrivateGetV3Builder()).map((row) => [row.builderAddress, row.maxFeeRate])
)
await report('fees', async () => {
  const found = await each([SPOT, PERP], (symbol) => client.fetchTradingFee(symbol))
  return found.map((fee) => [fee.maker, fee.taker])
})
await report('leverage', leverage)
await report('margin type', marginType)
for (const [market, symbol] of [['spot', SPOT], ['perp', PERP]]) {
  const ioc = { timeInForce: 'IOC' }
  await report(`${market} limit order`, () => limitOrder(symbol, `rest-${market}`))
  await report(`${market} market order`, () => order(symbol, 'market', 'buy', `mkt-${market}`))
  await report(`${market} IOC order`, () => order(symbol, 'limit', 'buy', `ioc-${market}`, 101, ioc))
  await report(`${market} post-only order`, () => order(symbol, 'limit', 'buy', `gtx-${market}`, 101, { postOnly: true }))
}
await report('reduce-only order', () => order(PERP, 'market', 'sell', 'reduce', undefined, { reduceOnly: true }))
await report('stop order', stopOrder)
await report('batch orders', batch)
await report('refusal', refusal)
await report('spot trades', () => trades(SPOT))
await report('perp trades', () => trades(PERP))
await report('positions', positions)
await report('transfer', transfer)
await report('income', income)
await report('spot book stream', () => bookStream(SPOT))
await report('perp book stream', () => bookStream(PERP))
for (const [market, symbol] of [['spot', SPOT], ['perp', PERP]]) {
  await report(`${market} ticker stream`, () => tickerStream(symbol))
  await report(`${market} candle stream`, () => twice(async () => (await client.watchOHLCV(symbol, '1m')).at(-1)[4]))
  await report(`${market} trade stream`, () => twice(async () => (await client.watchTrades(symbol)).at(-1).price))
}
await report('depth stream', async () => touch(await client.watchOrderBook(PERP, 5)))
await report('mark stream', async () => (await client.watchMarkPrice(PERP)).markPrice)
await report('position stream', async () => (await client.watchPositions([PERP])).map((row) => [row.symbol, row.contracts]))
await report('spot user stream', () => userStream(SPOT, 'user-spot'))
await report('perp user stream', () => userStream(PERP, 'user-perp'))
await client.close()
process.exit(0)
