// Reads a dashboard as Grafana's own schema of dashboards, panels and queries has it: what that does not know is an error.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	for _, file := range os.Args[1:] {
		if fault := read(file); fault != "" {
			fmt.Printf("%s: %s\n", file, fault)
			os.Exit(1)
		}
	}
}

// What is wrong with it. The library has errors that are none: lists without anything in them.
func read(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	var known dashboard.Dashboard
	if err := known.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		return err.Error()
	}
	if err := known.Validate(); err != nil && err.Error() != "" {
		return err.Error()
	}
	return ""
}
