// Asks the API. A problem document becomes an error whose message is for people; without a valid cookie the
// page gives way to the one that asks for the token.

export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || document.error || `the gateway answered ${status}`);
    this.status = status;
    this.code = document.code;
  }
}

/** The answer to `GET api/v1/PATH`. Parameters that are null or empty are left out; `more` is of the request. */
export async function get(path, parameters = {}, more = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  const answer = await fetch(`api/v1/${path}${query.size ? `?${query}` : ""}`, more);
  if (answer.status === 401) logIn();
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  return answer.json();
}

export function logIn() {
  location.assign(`login${location.hash}`);
}
