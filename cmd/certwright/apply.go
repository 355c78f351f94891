package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/estate"
)

// newApply is the command that brings an installation to what a file says.
func newApply() *cobra.Command {
	var p place
	file, plan := "", false
	c := &cobra.Command{
		Use:   "apply",
		Short: "Bring the installation to what an estate file says",
		Long:  "Apply brings the installation to what an estate file says: what is there already is left alone, so that it may\nbe run again and again. A server that runs on the same data directory is asked to do it, and then it is for that\nserver's flags to say whether there are rehearsals.",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if file == "" {
				return usageError{fmt.Errorf("say which estate file: -f FILE")}
			}
			if done, err := p.tell(c.Context(), c.OutOrStdout(), order{Do: "apply", File: file, Plan: plan}); done {
				return err
			}
			s, err := p.open(c.Context(), slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil)))
			if err != nil {
				return err
			}
			defer s.db.Close()
			made, err := s.setUp(c.Context())
			if err != nil {
				return err
			}
			if !made.IsEmpty() {
				fmt.Fprintf(c.OutOrStdout(), "user admin, password %s (it is not shown again)\n", made.Reveal())
			}
			ctx, stop := context.WithCancel(c.Context())
			var work sync.WaitGroup
			work.Go(func() { s.Run(ctx) })
			defer work.Wait()
			defer stop()
			return applyFile(ctx, s, file, plan, c.OutOrStdout())
		},
	}
	p.flags(c)
	p.rehearsalFlag(c)
	c.Flags().StringVarP(&file, "file", "f", "", "estate `file`")
	c.Flags().BoolVar(&plan, "plan", false, "only print what would change")
	return c
}

// applyFile applies the estate file, prints a line for each change, and waits
// until the certificates that it asks for are issued.
func applyFile(ctx context.Context, s *system, path string, plan bool, out io.Writer) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := estate.Load(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	report, err := estate.Apply(ctx, s.Core, operator(), file, estate.Options{
		Plan: plan, Dir: filepath.Dir(path), Progress: func(line string) { fmt.Fprintln(out, line) },
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, cert := range report.Certificates {
		open, err := s.Wait(ctx, cert.Work, core.MaxWait)
		if err != nil {
			return err
		}
		if open.State == clm.Stopped {
			return fmt.Errorf("%s: certificate %s: %s", path, cert.DN, open.Failure)
		}
	}
	return nil
}
