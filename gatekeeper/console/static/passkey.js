// Makes a passkey, and signs with one. The console checks both; this file only asks the browser.

const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const text = (buffer) => btoa(Array.from(new Uint8Array(buffer), (one) => String.fromCharCode(one)).join(""));
const SECONDS = 120;

async function create({ party, challenge, person, name, title, known }) {
  const excludeCredentials = known.split(" ").filter(Boolean).map((id) => ({ type: "public-key", id: bytes(id) }));
  const { rawId, response } = await navigator.credentials.create({
    publicKey: {
      rp: { id: party, name: title },
      user: { id: bytes(person), name, displayName: name },
      challenge: bytes(challenge),
      pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -8 }],
      authenticatorSelection: { userVerification: "required", residentKey: "preferred" },
      attestation: "none",
      timeout: SECONDS * 1000,
      excludeCredentials,
    },
  });
  return {
    client: text(response.clientDataJSON),
    authenticator: text(response.getAuthenticatorData()),
    public: text(response.getPublicKey()),
    credential: text(rawId),
  };
}

async function touch({ keyId, party, challenge, credential }) {
  const allowCredentials = credential ? [{ type: "public-key", id: bytes(credential) }] : [];
  const { response } = await navigator.credentials.get({
    publicKey: {
      rpId: party,
      challenge: bytes(challenge),
      allowCredentials,
      userVerification: "required",
      timeout: SECONDS * 1000,
    },
  });
  return {
    key: keyId,
    sig: text(response.signature),
    authenticator: text(response.authenticatorData),
    client: text(response.clientDataJSON),
  };
}

for (const [id, ask] of [["create", create], ["touch", touch]]) {
  const form = document.getElementById(id);
  form?.addEventListener("click", async ({ target }) => {
    if (!target.dataset.challenge) return;
    const wrong = document.getElementById("passkey-error");
    wrong.hidden = true;
    target.disabled = true;
    try {
      if (!window.PublicKeyCredential) throw new DOMException("", "NotSupportedError");
      for (const [name, value] of Object.entries(await ask(target.dataset))) form.elements[name].value = value;
      form.submit();
    } catch (error) {
      wrong.textContent = error.name === "NotSupportedError" ? form.dataset.unable : form.dataset.failed;
      wrong.hidden = false;
      target.disabled = false;
    }
  });
}
