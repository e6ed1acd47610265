// Opens what asks for a token at the distribution, so that answers are shared: the token is checked here and leaves the address, the key of the cache
// has none of it, and the edge is asked with the distribution's own. CloudFront Functions, runtime 2.0: no destructuring, no classes, 10 kB.
//
// In the key value store: `key/<kid>` the secrets of meta/playback-keys.json (base64url, then a space and the issuer where the key has one),
// `audience`, `token` the distribution's own, `open/<stream>` for each stream that asks for none, `revoked/<cti in hexadecimal digits>`.
import crypto from 'crypto';
import cf from 'cloudfront';

const store = cf.kvs();
const NAME = 'cta-common-access-token';

async function handler(event) {
  const request = event.request;
  const found = take(request);
  const path = found.path;
  // What is below these has its policy at the edge, and is shared by nobody who shows a token.
  // Nothing below /live/ is written with escapes, which a bucket would undo: with them what is checked is not what is opened.
  if (path.indexOf('%') >= 0 && !/^\/(origin|steer)\//.test(path)) return refuse(400, 'write this address without escapes');
  if (!path.startsWith('/live/') || request.method === 'OPTIONS') return request;
  delete request.headers[NAME];
  delete request.headers.authorization;
  if (request.cookies) delete request.cookies[NAME];
  if (request.querystring) delete request.querystring.token;
  request.uri = path;
  if ((await read('open/' + path.split('/')[2])) !== null) return request;
  if (found.token === null) return refuse(401, 'this needs a playback token');
  if (found.query) return { statusCode: 302, statusDescription: 'Found', headers: { location: { value: '/~' + found.token + path + (query(request) && '?' + query(request)) }, 'cache-control': { value: 'no-store' } } };
  const why = await check(found.token, request, path);
  if (why !== null) return refuse(why.status, why.text);
  const own = await read('token');
  if (own === null) return refuse(503, 'the distribution has no token of its own');
  request.headers[NAME] = { value: own };
  return request;
}

function take(request) {
  if (request.uri.startsWith('/~')) {
    const slash = request.uri.indexOf('/', 2);
    return { token: request.uri.slice(2, slash < 0 ? request.uri.length : slash), path: slash < 0 ? '/' : request.uri.slice(slash), query: false };
  }
  const header = request.headers[NAME];
  const bearer = request.headers.authorization;
  const cookie = request.cookies && request.cookies[NAME];
  const query = request.querystring && request.querystring.token;
  let token = null;
  if (header) token = header.value;
  else if (bearer && bearer.value.slice(0, 7).toLowerCase() === 'bearer ') token = bearer.value.slice(7).trim();
  else if (cookie) token = cookie.value;
  return { token: token === null && query ? query.value : token, path: request.uri, query: token === null && !!query };
}

// Why a token does not open this; null where it does.
async function check(text, request, path) {
  const bad = { status: 401, text: 'this is no token that opens here' };
  let mac, claims, issuer;
  try {
    mac = mac0(text);
    if (mac === null || mac.algorithm !== 5 || mac.kid === null) return bad;
    const known = await read('key/' + mac.kid);
    if (known === null) return bad;
    const words = known.split(' ');
    issuer = words[1];
    if (!same(code(mac, Buffer.from(words[0], 'base64url')), mac.code)) return bad;
    claims = decode(mac.payload);
  } catch (error) {
    return bad;
  }
  if (!(claims instanceof Map) || (issuer && claims.get(1) !== issuer) || (claims.has(7) && !Buffer.isBuffer(claims.get(7)))) return bad;
  const keys = Array.from(claims.keys());
  for (let i = 0; i < keys.length; i++) {
    // What is not understood may be there to narrow the rest.
    if ([1, 2, 3, 4, 5, 6, 7, 308, 310, 312, 313, 316, 323].indexOf(keys[i]) < 0) return bad;
  }
  if (claims.has(308) && claims.get(308) !== 0) return bad;
  if (claims.has(310) && claims.get(310) !== 1) return bad;
  if ([4, 5, 6].some((time) => claims.has(time) && !(claims.get(time) >= 0 && typeof claims.get(time) === 'number'))) return bad;
  const now = Math.floor(Date.now() / 1000);
  if (claims.has(4) && !(now < claims.get(4))) return { status: 401, text: 'the token has expired' };
  if (claims.has(5) && !(now >= claims.get(5))) return { status: 401, text: 'the token is not valid yet' };
  if (claims.has(7) && (await read('revoked/' + claims.get(7).toString('hex'))) !== null) return { status: 403, text: 'the token has been revoked' };
  const audience = await read('audience');
  if (audience !== null && claims.has(3) && list(claims.get(3)).indexOf(audience) < 0) return { status: 403, text: 'the token is for another service' };
  const methods = list(claims.get(313));
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (methods.length > 0 && methods.indexOf(method) < 0 && methods.indexOf(request.method) < 0) return { status: 403, text: 'the token is not for this method' };
  const countries = list(claims.get(316));
  const country = request.headers['cloudfront-viewer-country'] ? request.headers['cloudfront-viewer-country'].value : '';
  if (countries.length > 0 && !countries.some((known) => within(country, known))) return { status: 403, text: 'the token is not for this country' };
  if (claims.has(312) && !fits(claims.get(312), request, path)) return { status: 403, text: 'the token is for another address' };
  return null;
}

function query(request) {
  const all = request.querystring || {};
  return Object.keys(all).map((name) => name + (all[name].value === '' ? '' : '=' + all[name].value)).join('&');
}

function fits(conditions, request, path) {
  if (!(conditions instanceof Map)) return false;
  const slash = path.lastIndexOf('/');
  const file = path.slice(slash + 1);
  const dot = file.indexOf('.') < 0 ? file.length : file.indexOf('.');
  const host = request.headers.host ? request.headers.host.value.toLowerCase() : '';
  const parts = ['https', host.split(':')[0], host.split(':')[1] || '', path, query(request), path.slice(0, slash), file, file.slice(0, dot), file.slice(dot)];
  const labels = Array.from(conditions.keys());
  for (let i = 0; i < labels.length; i++) {
    const value = parts[labels[i]];
    const kinds = conditions.get(labels[i]);
    if (value === undefined || !(kinds instanceof Map)) return false;
    const names = Array.from(kinds.keys());
    for (let k = 0; k < names.length; k++) {
      const wanted = kinds.get(names[k]);
      const hex = names[k] === -1 ? crypto.createHash('sha256').update(value).digest('hex') : '';
      const text = typeof wanted === 'string' ? wanted : names[k] === -1 && Buffer.isBuffer(wanted) ? wanted.toString('hex') : null;
      if (text === null) return false;
      const fit = { '0': value === text, '1': value.startsWith(text), '2': value.endsWith(text), '3': value.indexOf(text) >= 0, '-1': hex === text }[names[k]];
      if (fit !== true) return false;
    }
  }
  return true;
}

// COSE_Mac0 (RFC 9052), with or without its tags.
function mac0(text) {
  if (text.length > 2048 || !/^[A-Za-z0-9_-]+$/.test(text)) return null;
  let value = decode(Buffer.from(text, 'base64url'));
  if (value.tag === 61) value = value.value;
  if (value.tag === 17) value = value.value;
  if (!Array.isArray(value) || value.length !== 4) return null;
  const header = value[0].length === 0 ? new Map() : decode(value[0]);
  if (!(header instanceof Map) || !(value[1] instanceof Map) || header.has(2) || value[3].length !== 32) return null;
  const kid = header.has(4) ? header.get(4) : value[1].get(4);
  return { protected: value[0], algorithm: header.get(1), kid: kid === undefined ? null : kid.toString(), payload: value[2], code: value[3] };
}

function code(mac, secret) {
  const start = Buffer.concat([Buffer.from([0x84, 0x64]), Buffer.from('MAC0'), lead(mac.protected.length), mac.protected, Buffer.from([0x40]), lead(mac.payload.length)]);
  return crypto.createHmac('sha256', secret).update(Buffer.concat([start, mac.payload])).digest();
}

function lead(length) {
  return Buffer.from(length < 24 ? [0x40 + length] : length < 256 ? [0x58, length] : [0x59, length >> 8, length & 255]);
}

function same(one, other) {
  let differs = one.length ^ other.length;
  for (let i = 0; i < one.length; i++) differs |= one[i] ^ other[i];
  return differs === 0;
}

// CBOR (RFC 8949) as far as tokens need it: what is longer than its bytes, deep, twice in a map, or of another kind throws.
function decode(bytes) {
  let at = 0;
  function need(count) {
    if (count > bytes.length - at) throw new Error('short');
    at += count;
    return at - count;
  }
  function item(depth) {
    if (depth > 8) throw new Error('deep');
    const first = bytes[need(1)];
    const major = first >> 5;
    const info = first & 31;
    if (major === 7) {
      if (info === 26) return bytes.readFloatBE(need(4));
      if (info === 27) return bytes.readDoubleBE(need(8));
      throw new Error('kind');
    }
    let number = info;
    if (info === 24) number = bytes[need(1)];
    else if (info === 25) number = bytes.readUInt16BE(need(2));
    else if (info === 26) number = bytes.readUInt32BE(need(4));
    else if (info === 27) {
      const high = bytes.readUInt32BE(need(4));
      number = high * 4294967296 + bytes.readUInt32BE(need(4));
    } else if (info > 23) throw new Error('length');
    if (major === 0) return number;
    if (major === 1) return -1 - number;
    if (major === 2) return bytes.slice(need(number), at);
    if (major === 3) return bytes.slice(need(number), at).toString('utf8');
    if (major === 6) {
      const inner = item(depth + 1);
      return number === 1 ? inner : { tag: number, value: inner };
    }
    if (number > bytes.length - at) throw new Error('short');
    const list = [];
    const map = new Map();
    for (let i = 0; i < number; i++) {
      const key = item(depth + 1);
      if (major === 4) list.push(key);
      else if (map.has(key)) throw new Error('twice');
      else map.set(key, item(depth + 1));
    }
    return major === 4 ? list : map;
  }
  const value = item(0);
  if (at !== bytes.length) throw new Error('more');
  return value;
}

function list(value) {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

// `US-CA` is in `US`.
function within(place, known) {
  return place.slice(0, known.length).toLowerCase() === known.toLowerCase() && (place.length === known.length || place[known.length] === '-');
}

async function read(key) {
  // A store that fails is no key that is not there: the request fails with it.
  return (await store.exists(key)) ? store.get(key) : null;
}

function refuse(status, text) {
  return {
    statusCode: status,
    statusDescription: { 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 503: 'Service Unavailable' }[status],
    headers: {
      'content-type': { value: 'application/problem+json' },
      'cache-control': { value: 'no-store' },
      'access-control-allow-origin': { value: '*' },
    },
    body: { encoding: 'text', data: JSON.stringify({ status: status, title: text }) },
  };
}
