// Checks a sealed log with Go's own transparency-log code and none of ours: golang.org/x/mod/sumdb/{note,tlog}.
//
//	go run . LOG_FOLDER LOG_PUBLIC_KEY [WITNESS_PUBLIC_KEY]
//
// It opens the checkpoint, authenticates every tile against its root, finds each entry in the tree, and proves each
// of the smaller trees to be a beginning of it.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/transparency-dev/formats/note"
	sumdb "golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// folder reads tiles of height 8, whose names in tlog-tiles leave the height out.
type folder string

func (folder) Height() int { return 8 }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(string(f), strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func (folder) SaveTiles([]tlog.Tile, [][]byte) {}

// entries returns the data of the leaves from first up to the end of their bundle.
func (f folder) entries(first, size int64) ([][]byte, error) {
	tile := tlog.Tile{H: 8, L: -1, N: first / 256, W: int(min(256, size-first))}
	data, err := os.ReadFile(filepath.Join(string(f), strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)))
	if err != nil {
		return nil, err
	}
	var found [][]byte
	for len(data) >= 2 {
		n := int(binary.BigEndian.Uint16(data))
		found, data = append(found, data[2:2+n]), data[2+n:]
	}
	if len(found) != tile.W {
		return nil, fmt.Errorf("%s holds %d entries, not %d", tile.Path(), len(found), tile.W)
	}
	return found, nil
}

func check(log folder, keys []string) (int64, int, error) {
	raw, err := os.ReadFile(filepath.Join(string(log), "checkpoint"))
	if err != nil {
		return 0, 0, err
	}
	key, err := sumdb.NewVerifier(keys[0])
	if err != nil {
		return 0, 0, err
	}
	verifiers := []sumdb.Verifier{key}
	for _, text := range keys[1:] {
		witness, err := note.NewVerifierForCosignatureV1(text)
		if err != nil {
			return 0, 0, err
		}
		verifiers = append(verifiers, witness)
	}
	opened, err := sumdb.Open(raw, sumdb.VerifierList(verifiers...))
	if err != nil {
		return 0, 0, err
	}
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return 0, 0, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != sha256.Size {
		return 0, 0, fmt.Errorf("no root: %q", lines[2])
	}
	tree := tlog.Tree{N: size, Hash: tlog.Hash(root)}
	hashes := tlog.TileHashReader(tree, log)
	for first := int64(0); first < size; first += 256 {
		leaves, err := log.entries(first, size)
		if err != nil {
			return 0, 0, err
		}
		for at, leaf := range leaves {
			index := first + int64(at)
			proof, err := tlog.ProveRecord(size, index, hashes)
			if err != nil {
				return 0, 0, err
			}
			if err := tlog.CheckRecord(proof, size, tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
				return 0, 0, fmt.Errorf("leaf %d: %w", index, err)
			}
		}
	}
	for old := int64(1); old <= size; old = old*3/2 + 1 {
		before, err := tlog.TreeHash(old, hashes)
		if err != nil {
			return 0, 0, err
		}
		proof, err := tlog.ProveTree(size, old, hashes)
		if err != nil {
			return 0, 0, err
		}
		if err := tlog.CheckTree(proof, size, tree.Hash, old, before); err != nil {
			return 0, 0, fmt.Errorf("tree of %d: %w", old, err)
		}
	}
	return size, len(opened.Sigs), nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: go run . LOG_FOLDER LOG_PUBLIC_KEY [WITNESS_PUBLIC_KEY]")
		os.Exit(2)
	}
	size, signatures, err := check(folder(os.Args[1]), os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
	fmt.Printf("accepted: %d leaves, %d signatures\n", size, signatures)
}
