// Command sbom prints a bill of materials (CycloneDX 1.5, JSON) of a Go program: the modules that are linked into it, as
// the program itself records them, and the shared libraries that it asks the dynamic linker for.
//
// The known generators cannot be fetched through every module proxy, and the list is short. Nothing in the output depends
// on the time or the place of the build.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

type component struct {
	Type     string     `json:"type"`
	BomRef   string     `json:"bom-ref"`
	Name     string     `json:"name"`
	Version  string     `json:"version,omitempty"`
	PURL     string     `json:"purl,omitempty"`
	Licenses []license  `json:"licenses,omitempty"`
	Hashes   []hash     `json:"hashes,omitempty"`
	Props    []property `json:"properties,omitempty"`
}

// A license is one SPDX id, or an expression of several.
type license struct {
	License    *licenseID `json:"license,omitempty"`
	Expression string     `json:"expression,omitempty"`
}
type licenseID struct {
	ID string `json:"id"`
}
type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}
type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}
type document struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	SerialNumber string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}
type metadata struct {
	Timestamp string    `json:"timestamp,omitempty"`
	Component component `json:"component"`
}

// spdx are the licences of what we link; one that is missing here is an error, so that nobody forgets it.
var spdx = map[string]string{
	"github.com/coreos/go-systemd/v22": "Apache-2.0",
	"github.com/msteinert/pam/v2":      "BSD-2-Clause",
	"github.com/pelletier/go-toml/v2":  "MIT",
	"golang.org/x/sys":                 "BSD-3-Clause",
	"golang.org/x/term":                "BSD-3-Clause",
	"libc.so.6":                        "LGPL-2.1-or-later",
	"libpam.so.0":                      "BSD-3-Clause OR GPL-2.0-or-later",
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM VERSION")
		os.Exit(2)
	}
	doc, err := describe(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(doc); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// describe reads the program at path.
func describe(path, version string) (*document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read build information: %w", err)
	}
	sum := sha256.Sum256(text)
	name := filepath.Base(path)
	self := component{Type: "application", BomRef: name, Name: name, Version: version,
		PURL: "pkg:generic/" + name + "@" + version, Licenses: licensed("BSD-2-Clause"),
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}}}
	parts := []component{{Type: "library", BomRef: "std", Name: "std", Version: strings.TrimPrefix(info.GoVersion, "go"),
		PURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"), Licenses: licensed("BSD-3-Clause")}}
	for _, m := range info.Deps {
		c, err := module(m)
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
	}
	libraries, err := sharedLibraries(path)
	if err != nil {
		return nil, err
	}
	parts = append(parts, libraries...)

	doc := &document{Schema: "http://cyclonedx.org/schema/bom-1.5.schema.json", Format: "CycloneDX", SpecVersion: "1.5",
		SerialNumber: uuid(sum), Version: 1, Metadata: metadata{Timestamp: timestamp(), Component: self}, Components: parts}
	direct := dependency{Ref: name}
	for _, p := range parts {
		direct.DependsOn = append(direct.DependsOn, p.BomRef)
	}
	doc.Dependencies = []dependency{direct}
	return doc, nil
}

func module(m *debug.Module) (component, error) {
	if m.Replace != nil {
		m = m.Replace
	}
	id, ok := spdx[m.Path]
	if !ok {
		return component{}, fmt.Errorf("no licence noted for module %s: add it here and to packaging/copyright", m.Path)
	}
	purl := "pkg:golang/" + m.Path + "@" + m.Version
	c := component{Type: "library", BomRef: purl, Name: m.Path, Version: m.Version, PURL: purl, Licenses: licensed(id)}
	// go.sum's h1 is a SHA-256 of the list of the module's files, not of one file: a property, not a CycloneDX hash.
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(raw) == sha256.Size {
		c.Props = []property{{"go:sum", m.Sum}}
	}
	return c, nil
}

// sharedLibraries are the names in DT_NEEDED; their versions are the host's affair.
func sharedLibraries(path string) ([]component, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	defer f.Close()
	names, err := f.ImportedLibraries()
	if err != nil {
		return nil, fmt.Errorf("read shared libraries: %w", err)
	}
	var parts []component
	for _, n := range names {
		id, ok := spdx[n]
		if !ok {
			return nil, fmt.Errorf("no licence noted for library %s: add it here", n)
		}
		parts = append(parts, component{Type: "library", BomRef: "so:" + n, Name: n, Licenses: licensed(id), Props: []property{{"linkage", "dynamic"}}})
	}
	return parts, nil
}

func licensed(id string) []license {
	if strings.Contains(id, " ") {
		return []license{{Expression: id}}
	}
	return []license{{License: &licenseID{id}}}
}

// uuid makes a version 8 UUID (RFC 9562: contents of one's own choice) of the program's checksum.
func uuid(sum [sha256.Size]byte) string {
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// timestamp is the release's date, not the build's: SOURCE_DATE_EPOCH, or none.
func timestamp() string {
	var sec int64
	if _, err := fmt.Sscan(os.Getenv("SOURCE_DATE_EPOCH"), &sec); err != nil {
		return ""
	}
	return time.Unix(sec, 0).UTC().Format(time.RFC3339)
}
