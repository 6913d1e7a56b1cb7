"""All sentences of the check, in Japanese and English. They stand here because the check is one separate file."""

from __future__ import annotations

import os
from typing import Any

CHANGED, UNVERIFIABLE, INCOMPLETE = 1, 4, 5
"""Exit codes of findings: something was changed, cannot be verified, or is missing."""


def language() -> str:
    """The reader's language: `GATEKEEPER_LANG`, else the locale's, else English."""
    asked = os.environ.get("GATEKEEPER_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "ja" if asked.lower().startswith("ja") else "en"


def say(code: str, lang: str, **values: Any) -> str:
    """A sentence of SAYS, filled in."""
    _, ja, en = SAYS[code]
    return (ja if lang == "ja" else en).format(**{k: "-" if v is None else v for k, v in values.items()})


SAYS: dict[str, tuple[int, str, str]] = {
    "missing": (UNVERIFIABLE, "{file} がありません。書き出し直してください。", "{file} is missing. Export again."),
    "file": (UNVERIFIABLE, "{file} を読めません（{detail}）。書き出し直してください。", "{file} cannot be read ({detail}). Export again."),
    "no_folder": (UNVERIFIABLE, "{file} は書き出しのフォルダではありません。`gatekeeper audit export` が作ったフォルダを指定してください。", "{file} is no folder of an export. Name the one that `gatekeeper audit export` wrote."),
    "no_file": (UNVERIFIABLE, "{file} は通常のファイルではありません。書き出し直してください。", "{file} is no regular file. Export again."),
    "large": (UNVERIFIABLE, "{file} には、書き出しにありえない大きさのものがあります（{most} バイトより大）。書き出し直してください。", "{file} holds something larger than anything in an export (more than {most} bytes). Export again."),
    "about": (UNVERIFIABLE, "export.json の内容が正しくありません（v、partitions、from、to）。書き出し直してください。", "The content of export.json is not right (v, partitions, from, to). Export again."),
    "cut": (UNVERIFIABLE, "{file} は壊れているか、途中で切れています。書き出し直してください。", "{file} is damaged or cut short. Export again."),
    "key": (UNVERIFIABLE, "{file} は公開鍵として読めません。書き出し直してください。", "{file} cannot be read as a public key. Export again."),
    "checkpoint": (UNVERIFIABLE, "{file} はチェックポイントとして読めません。書き出し直してください。", "{file} cannot be read as a checkpoint. Export again."),
    "proof": (UNVERIFIABLE, "{file} は証明として読めません。`gatekeeper audit prove` が作ったファイルを指定するか、作り直してください。", "{file} cannot be read as a proof. Name the file that `gatekeeper audit prove` wrote, or make it again."),
    "version": (UNVERIFIABLE, "版 {v} の証明は、この版の検証では確かめられません。新しい版で確かめてください。", "This is a proof of version {v}, which this check does not know. Use a newer one."),
    "line": (UNVERIFIABLE, "{file} の {line} 行目は正準 JSON のマニフェストではありません。書き出し直してください。", "Line {line} of {file} is no manifest in canonical JSON. Export again."),
    "not_canonical": (UNVERIFIABLE, "{file} は正準 JSON ではありません（キーは整列、空白なし、数は 2^53 未満の整数）。`gatekeeper audit export` か `gatekeeper audit prove` で作り直してください。", "{file} is not canonical JSON (sorted keys, no space, no number but integers below 2^53). Make it again with `gatekeeper audit export` or `gatekeeper audit prove`."),
    "leaf": (UNVERIFIABLE, "封印ログの葉 {leaf} は、正準 JSON のマニフェストでも網羅性の報告でもありません。", "Leaf {leaf} of the sealed log is neither a manifest nor a report of coverage in canonical JSON."),
    "statement": (UNVERIFIABLE, "封印ログの葉 {leaf}: パーティション {partition} の枝を選んだ文書が、このログの鍵で署名された正しい形のものではありません。", "Leaf {leaf} of the sealed log: the choice of a branch of partition {partition} is not under this log's key."),
    "choice_signature": (CHANGED, "封印ログの葉 {leaf}: 枝を選んだ人の署名が、選択の内容と合いません。", "Leaf {leaf} of the sealed log: the signature of the person who chose a branch does not fit the choice."),
    "abandoned": (CHANGED, "この枝は、のちに選ばれた枝ではありません（葉 {leaf}）。別のフォルダへ書き出し直してください。", "This manifest is on a branch that did not count in the end (leaf {leaf}). Export again to another folder."),
    "branch_open": (INCOMPLETE, "封印ログの葉 {leaf}: パーティション {partition} で選ばれたマニフェストが、まだ封印されていません。封印してから書き出し直してください。", "Leaf {leaf} of the sealed log: the manifest that was chosen in partition {partition} is not sealed yet. Seal it, and export again."),
    "manifest": (UNVERIFIABLE, "パーティション {partition}、manifests のオフセット {offset}: マニフェストの形が違います。", "Partition {partition}, offset {offset} of manifests: this is not shaped like a manifest."),
    "record": (UNVERIFIABLE, "{record} 番目の記録（0 から）は監査記録の形ではありません。", "Record {record} of it (from 0) is not shaped like an audit record."),
    "other_log": (UNVERIFIABLE, "チェックポイントは別のログ {origin} のものです。書き出し元は {group} です。", "The checkpoint is another log's: {origin}, and the export is of {group}."),
    "unwanted_log": (UNVERIFIABLE, "これはログ {origin} のものです。確かめたいログ {wanted_log} ではありません。", "This is of the log {origin}, and {wanted_log} is wanted."),
    "other_witness": (UNVERIFIABLE, "証人の鍵 {kid} は、別のログの証人のものです。このログは {origin} です。このログの証人の鍵を指定してください。", "The key {kid} is of a witness of another log. This log is {origin}. Name the key of its own witness."),
    "witness_required": (UNVERIFIABLE, "証人の連署が求められていますが、証人の公開鍵が指定されていません。--witness で指定してください。", "A witness is required, and none is named. Name its public key with --witness."),
    "no_checkpoint": (UNVERIFIABLE, "封印されていないため、どのログのものか、証人が見たかを確かめられません。封印してから証明を作り直してください。", "It is not sealed, so neither its log nor a witness can be checked. Seal it, and make the proof again."),
    "unknown_log": (UNVERIFIABLE, "ログ {origin} のチェックポイントに、手元のログの公開鍵による署名がありません。別のログのものか、公開鍵が足りません。チェックポイントを取り違えていないか確かめ、鍵のある機械で書き出し直してください。", "No public key at hand has signed this checkpoint of the log {origin}. It is another log's, or a key is missing. See which log it is of, and export again where its key is."),
    "unknown_key": (UNVERIFIABLE, "署名した鍵 {kid} の公開鍵がありません。ワーカーの鍵なら、それのある機械で書き出し直してください。", "The key that signed it, {kid}, is not among the public keys. If it is a worker's, export again where it is."),
    "not_cosigned": (UNVERIFIABLE, "チェックポイントに証人 {kid} の連署がありません。その証人の鍵か、証人が連署した後の書き出しかを確かめてください。", "The checkpoint bears no cosignature of the witness {kid}. See that the key is that witness's, and that it saw the log before this was exported."),
    "too_much": (UNVERIFIABLE, "この機械で扱えないほど大きいか、深く入れ子になっています（{detail}）。書き出し直すか、メモリの多い機械で確かめてください。", "It is too large or too deep for this machine ({detail}). Export again, or verify where there is more memory."),
    "witness_key": (UNVERIFIABLE, "--witness は証人の公開鍵（NAME+HASH+BASE64）か、それを収めたファイルです。指定されたものはどちらでもありません。", "--witness takes a witness's public key (NAME+HASH+BASE64), or a file with it; what was given is neither."),
    "no_log": (INCOMPLETE, "封印ログがありません。署名と鎖だけを確かめました。`gatekeeper audit seal` で封印してから書き出してください。", "There is no sealed log: only signatures and chains were checked. Seal with `gatekeeper audit seal`, then export."),
    "unsealed": (INCOMPLETE, "封印ログは葉 {size} 枚で終わり、ここから {count} 件のマニフェストはまだ封印されていません。封印してから書き出し直してください。", "The sealed log ends with {size} leaves, and from here on {count} manifests are not sealed yet. Seal them, and export again."),
    "unsealed_one": (INCOMPLETE, "このマニフェストはまだ封印されていません。封印してから証明を作り直してください。", "This manifest is not sealed yet. Seal it, and prove again."),
    "begins_late": (INCOMPLETE, "封印ログのこのパーティションはこのマニフェストから始まりますが、これは封印されていないマニフェストに続いています。それがこの期間のものかどうかは分かりません。", "The sealed log of this partition begins with this manifest, which follows one that is not in it. It is unknown whether that one is of this time."),
    "lacking": (INCOMPLETE, "書き出しに含まれるはずの {file} がありません。書き出し直してください（ポリシーなら、その本文がある機械で）。", "{file}, which is part of an export, is missing. Export again; for a policy, where its text is."),
    "skip_unrecorded": (INCOMPLETE, "{topic} のオフセット {first} から {to} までの判断を、{by} の操作 {act} で飛ばしたとされていますが、その操作（acts のオフセット {input}）の監査記録がまだありません。後でもう一度書き出してください。", "It says that {by} let offsets {first} to {to} of {topic} go undecided by act {act}. The audit record of that act (offset {input} of acts) is not here yet: export again later."),
    "checkpoint_signature": (CHANGED, "チェックポイントの署名が正しくありません。", "The signature of the checkpoint is wrong."),
    "cosignature": (CHANGED, "証人 {kid} の連署が正しくありません。", "The cosignature of the witness {kid} is wrong."),
    "too_small": (CHANGED, "封印ログの葉は {size} 枚で、求められた {wanted} 枚より少なく、末尾が切り取られています。", "The sealed log has {size} leaves, and {wanted} were asked for: its end is cut off."),
    "outside": (CHANGED, "{file} は export.json が示すパーティションのものではありません。", "{file} is of no partition that export.json states."),
    "log_root": (CHANGED, "封印ログの葉から計算した根がチェックポイントと一致しません。", "The leaves of the sealed log do not come to the root of its checkpoint."),
    "log_chain": (CHANGED, "封印ログの葉 {leaf}（パーティション {partition}）は、前のマニフェストに続いていません。", "Leaf {leaf} of the sealed log (partition {partition}) does not follow that partition's manifest before."),
    "content": (CHANGED, "{file} は名前のハッシュと一致しません。", "{file} is not what its name, a hash, says."),
    "tile": (CHANGED, "{file} が葉と一致しません。", "{file} is not what the leaves of the log come to."),
    "missing_manifest": (CHANGED, "ここにあるはずの、封印ログの葉 {leaf} のマニフェストがありません。", "The manifest that is leaf {leaf} of the sealed log is missing here."),
    "again": (CHANGED, "封印ログの葉 {leaf} のマニフェストが二度、または順序を変えて現れます。", "The manifest that is leaf {leaf} of the sealed log is here again, or out of order."),
    "not_sealed": (CHANGED, "このマニフェストは、この期間に封印されたものではありません。", "This manifest is none of those that were sealed in its time."),
    "index": (CHANGED, "封印ログの葉 {leaf} ですが、{said} と書かれています。", "It is leaf {leaf} of the sealed log, and called leaf {said}."),
    "order": (CHANGED, "オフセットが前より大きくありません。", "Its offset is not after the one before."),
    "signature": (CHANGED, "鍵 {kid} の署名が正しくありません。", "The signature by the key {kid} is wrong."),
    "other_partition": (CHANGED, "パーティション {partition_said} のマニフェストです。", "It is a manifest of partition {partition_said}."),
    "chain": (CHANGED, "前のマニフェストに続いていません。抜けたか、入れ替わったか、書き換えられています。", "It does not follow the manifest before: one was dropped, moved or changed."),
    "skipped": (CHANGED, "{topic} のオフセット {expected} から始まるはずが {first} から始まっています。", "It begins at offset {first} of {topic}, and {expected} comes next."),
    "skip_unsaid": (CHANGED, "{topic} のオフセット {first} から {to} までの判断を、{by} の操作 {act} で飛ばしたとされていますが、acts のオフセット {input} の監査記録はその操作のものではありません。", "It says that {by} let offsets {first} to {to} of {topic} go undecided by act {act}. The audit record of offset {input} of acts does not say so."),
    "range": (CHANGED, "{topic} のオフセット {first} から {to} の件数と欠番が合いません。", "Records and gaps do not add up from offset {first} to {to} of {topic}."),
    "strays": (CHANGED, "ここに、どのマニフェストにも属さない記録が {count} 件あります。", "Here stand {count} records that belong to no manifest."),
    "root": (CHANGED, "{count} 件の記録のどれかが、署名されたものと違います。", "One or more of its {count} records are not those that were signed."),
    "record_count": (CHANGED, "記録は {wanted} 件のはずですが、{count} 件です。", "It has {count} records, and {wanted} were signed."),
    "from_id": (CHANGED, "最初の記録の判断 ID が違います。", "Its first record has another decision id than it says."),
    "of_partition": (CHANGED, "{record} 番目の記録（0 から）は別のパーティション {of} のものです（{topic} のオフセット {input}）。", "Record {record} of it (from 0) is of another partition, {of} (offset {input} of {topic})."),
    "twice": (CHANGED, "{record} 番目の記録（0 から）: {topic} のオフセット {input} の記録は二つ目です。", "Record {record} of it (from 0): offset {input} of {topic} has a record already."),
    "out_of_order": (CHANGED, "{record} 番目の記録（0 から）: {topic} のオフセット {input} の順序が違います。", "Record {record} of it (from 0): offset {input} of {topic} is out of order."),
    "not_taken": (CHANGED, "{record} 番目の記録（0 から）: {topic} のオフセット {input} はこの取引の入力ではありません。", "Record {record} of it (from 0): offset {input} of {topic} is no input of this transaction."),
    "no_record": (CHANGED, "{topic} のオフセット {input} に監査記録がありません。", "Offset {input} of {topic} has no audit record."),
    "other_record": (CHANGED, "記録の判断 ID が証明のものと違います。", "The record has another decision id than the proof."),
    "not_in_manifest": (CHANGED, "記録はこのマニフェストに含まれていません。", "The record is not in this manifest."),
    "not_in_log": (CHANGED, "マニフェストは封印ログの葉 {leaf} ではありません。", "The manifest is not leaf {leaf} of the sealed log."),
    "log": (0, "検証の対象は、ログ {origin} です。", "The log under check is {origin}."),
    "at": (0, "パーティション {partition}、manifests のオフセット {offset}: ", "Partition {partition}, offset {offset} of manifests: "),
    "more": (0, "ほかに {count} 件あります。", "There are {count} more."),
    "counted": (0, "マニフェスト {manifests:,} 件、監査記録 {records:,} 件、封印ログの葉 {leaves:,} 枚を確かめました。", "Checked {manifests:,} manifests, {records:,} audit records and {leaves:,} leaves of the sealed log."),
    "not_right": (0, "原因は {causes} つ、指摘は {count:,} 件です。", "Causes: {causes}. Findings: {count:,}."),
    "of_cause": (0, "（同じ原因の指摘: 全部で {count:,} 件）", " (Findings of this cause: {count:,}.)"),
    "whole": (0, "-v を付けると、すべての指摘と、確かめていないことも表示します。", "-v shows all findings, and what was not looked at."),
    "intact": (0, "無改ざん: 封印された後の変更、削除、追加、入れ替えはありません。", "INTACT: nothing was changed, removed, added or moved since it was sealed."),
    "intact_here": (0, "無改ざん（同梱の鍵による）: 封印された後の変更、削除、追加、入れ替えは見つかりません。鍵そのものが本物かどうかは、この検証では分かりません。", "INTACT by its own keys: no change since it was sealed was found. This check cannot tell whether the keys are the right ones."),
    "changed": (0, "改ざんあり: 署名または封印された後に、変わったところがあります。", "CHANGED: something is not as it was signed or sealed."),
    "cannot_tell": (0, "確認できない: 改ざんは見つかっていませんが、確かめられないところがあります。", "CANNOT TELL: no change was found, but part of it cannot be checked."),
    "skipped_by": (0, "パーティション {partition}: {topic} のオフセット {first} から {to} の前までは、{by} が操作 {act}（acts のオフセット {input}）で判断せずに飛ばしました。操作は監査記録にあります。", "Partition {partition}: {by} let offsets {first} up to {to} of {topic} go undecided. Act {act} (offset {input} of acts) is on record."),
    "gone_back_by": (0, "パーティション {partition}: {topic} の位置は、{by} が操作 {act}（acts のオフセット {input}）で {first} から {to} に戻しました。操作は監査記録にあります。", "Partition {partition}: {by} let the position in {topic} go back from {first} to {to}. Act {act} (offset {input} of acts) is on record."),
    "only": (0, "対象は {first} から {to} の前までに判定されたものだけです（- は限りなし）。", "This covers only what was decided from {first} until before {to} (-: no bound)."),
    "proven": (0, "判断 {did} は封印ログの葉 {leaf}（0 から、全 {size} 枚）のマニフェストに含まれています。", "Decision {did} is in the manifest that is leaf {leaf} (from 0) of {size} of the sealed log."),
    "witnessed": (0, "証人 {kid} は {at} に {size} 枚のログを見ています。それまでに封印されたものの変更・削除・差し替えは除外できます。その後に封印されたものが切り取られたかどうかは除外できません。", "The witness {kid} saw this log of {size} leaves at {at}. Excluded: that anything sealed by then was changed, removed or replaced. Not excluded: that what was sealed later was cut off."),
    "long_enough": (0, "ログは求められた {wanted} 枚以上（{size} 枚）です。そこまでの切り取りは除外できます。別の鍵で全体を作り直したものであることは除外できません。鍵は一緒に渡されたものだからです（--witness）。", "The log has {size} leaves, at least the {wanted} asked for: that its end was cut off before is excluded. Not excluded: that somebody made the whole anew with other keys, for the keys came with it (--witness)."),
    "not_excluded": (0, "末尾が切り取られたこと、別の鍵で全体を作り直したものであることは除外できません（ログは {size} 枚）。鍵は一緒に渡されたものだからです。両方には --witness、切り取りだけなら --min-size を指定してください。", "Not excluded: the end was cut off, or somebody made the whole anew with other keys, which came with it. The log has {size} leaves. Pass --witness for both, or --min-size for the first."),
    "forked": (0, "封印ログの葉 {leaf}（{at}）: パーティション {partition}、manifests のオフセット {offset} のマニフェストは、正しい系列のものではないため、数えていません。ワーカーの鍵が盗まれたおそれがあります。", "Leaf {leaf} of the log ({at}): partition {partition}, offset {offset} of manifests is not on the branch that counts. It is left out. A worker's key may be stolen."),
    "branched": (0, "封印ログの葉 {leaf}（{at}）: パーティション {partition} では、{by} が正しい枝を選びました。理由:「{reason}」。別の枝ですでに封印されていたマニフェスト {count} 件は、記録として残りますが、数えていません。", "Leaf {leaf} of the log ({at}): in partition {partition}, {by} chose the branch that counts. Reason: “{reason}”. Manifests of the other branch that were sealed before stay on record and do not count: {count}."),
    "branched_unsigned": (0, "封印ログの葉 {leaf}: この選択はログの鍵で署名されていますが、{by} 本人の鍵による署名はありません。", "Leaf {leaf} of the log: this choice stands under the log's key. {by} did not sign it with an own key."),
    "coverage": (0, "封印された網羅性の報告は {count} 件あり、最新の報告（{at}）の誤りは {found} 件です。", "Reports of coverage that are sealed: {count}. The last one ({at}) found {found} things that are wrong."),
    "min_size": (0, "--min-size は 1 以上の整数です。", "--min-size takes a whole number from 1 on."),
    "output": (0, "出力を書き出せません（{detail}）。", "The output cannot be written ({detail})."),
    "uncovered": (0, "そのうち {count} 件は誤りを見つけています。その最新は葉 {leaf} の報告（{at}、{found} 件）です。このフォルダが書き換えられた証拠ではありませんが、運用者に原因と対処を確かめてください。", "Of these, {count} found something wrong. The newest of those is leaf {leaf} ({at}, {found} things). It does not show that this folder was changed, but somebody must look into it. Ask the operators of the system for the cause and the cure."),
    "mend": (0, "何を除外できるかは、これらを直してから確かめてください。", "What can be excluded can be told once that is mended."),
    "staff_line": (UNVERIFIABLE, "staff.ndjson に、担当者の記録として読めない行があります。書き出し直してください。", "staff.ndjson holds a line that is no record of a person. Export again."),
    "signer_unknown": (UNVERIFIABLE, "操作に署名した {by} は、その操作が届いた時点の担当者として書き出しに含まれていません。", "{by}, who signed an act, is not among the people of this export at the time of the act."),
    "act_signature": (CHANGED, "操作の署名が、記録の内容と合いません。", "The signature of an act does not fit its record."),
    "acts_signed": (0, "操作の署名を確かめました。本人の鍵によるもの {by_key:,} 件、本人のパスキーによるもの {by_passkey:,} 件、サインインした人に代わってコンソールが署名したもの {by_vouched:,} 件です。", "Checked who signed the acts: {by_key:,} by own key, {by_passkey:,} by own passkey, {by_vouched:,} by the console's word."),
    "act_by_key": (0, "この操作は {by} が行いました。本人の鍵 {key} による署名を確かめました。", "{by} did this act: the signature by the person's own key {key} holds."),
    "act_by_passkey": (0, "この操作は {by} が行いました。本人のパスキー {key} による署名を確かめました。", "{by} did this act: the signature by the person's passkey {key} holds."),
    "act_by_vouched": (0, "この操作は {by} が行ったと、コンソール {console} が署名しています（サインインの方法: {signin}）。署名は確かめましたが、本人の署名ではありません。", "The console {console} says that {by} did this act, signed in by {signin}. Its signature holds, and it is not the person's own."),
    "founder": (0, "担当者の登録は、最初の管理者 {by}（公開鍵 {public}）から始まっています。この鍵が本人のものかは、会社に直接お確かめください。", "All people stand on the first manager, {by}, with the public key {public}. Ask the company, not this file, whether that key is right."),
    "act_unsigned": (0, "この操作には署名がありません。{by} が行ったことは、記録にそう書かれているだけです。", "Nobody signed this act: that {by} did it is only what the record says."),
    "act_of_nobody": (0, "この操作は署名が認められず、何も行われていません。誰によるものかは分かりません。", "This act was refused without a signature that counts, and nothing was done. Who asked for it is not known."),
    "acts_unsigned": (0, "署名のない操作が {count:,} 件あります。誰が行ったかは、記録されたとおりとしか言えません。", "{count:,} acts have no signature: who did them is only what the records say."),
    "elsewhere": (0, "判定が事実と規則から導かれるか、記録が正準 JSON かは `gatekeeper audit replay`、欠番が本当に空かは `gatekeeper audit coverage` が確かめます。", "`gatekeeper audit replay` checks whether the verdicts follow from facts and rules, and whether records are canonical JSON. `gatekeeper audit coverage` checks whether gaps are empty."),
    "not_looked_at": (0, "確かめていないもの: reference/ と、記録だけが名指す policies/ の本文がすべて揃っているか（`gatekeeper audit replay` が確かめます）、schemas/ と verify.py の中身、keys/ の証人の鍵、マニフェストのオフセット、書き出した日時。", "Not looked at: whether reference/ is complete, and policies/ holds all that only records name. `gatekeeper audit replay` checks that. Nor looked at: schemas/, verify.py, the keys of witnesses in keys/, the offsets of manifests, the time of the export."),
    "strangers": (0, "書き出しのものではないファイルが {count} 個あり、確かめていません（{file}）。", "Files that are not of the export, and were not checked: {count} (in {file})."),
}  # fmt: skip
"""Code of a sentence: the exit code of a finding with this code (0: no finding), then Japanese, then English."""
