// Reads a dashboard as Grafana's own schema of dashboards, panels and queries has it, and its queries as Prometheus does: what those do not
// know is an error.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	plugins.RegisterDefaultPlugins()
	for _, file := range os.Args[1:] {
		queries, fault := read(file)
		if fault != "" {
			fmt.Printf("%s: %s\n", file, fault)
			os.Exit(1)
		}
		fmt.Printf("%s: %d queries\n", file, queries)
	}
}

// How many queries there are, or what is wrong. Grafana's library has errors that are none: lists without anything in them.
func read(file string) (int, string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err.Error()
	}
	var known dashboard.Dashboard
	if err := known.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		return 0, err.Error()
	}
	if err := known.Validate(); err != nil && err.Error() != "" {
		return 0, err.Error()
	}
	var board row
	if err := json.Unmarshal(text, &board); err != nil {
		return 0, err.Error()
	}
	expressions := board.expressions()
	if len(expressions) == 0 {
		return 0, "there are no queries in it"
	}
	for _, expression := range expressions {
		if _, err := parser.NewParser(parser.Options{}).ParseExpr(expression); err != nil {
			return 0, expression + ": " + err.Error()
		}
	}
	return len(expressions), ""
}

// A panel, or a row of them.
type row struct {
	Targets []struct{ Expr string }
	Panels  []row
}

func (r row) expressions() []string {
	found := []string{}
	for _, target := range r.Targets {
		found = append(found, target.Expr)
	}
	for _, panel := range r.Panels {
		found = append(found, panel.expressions()...)
	}
	return found
}
