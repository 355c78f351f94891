package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// newRotateKey is the command that seals everything with a new master key.
func newRotateKey() *cobra.Command {
	var p place
	drop := false
	c := &cobra.Command{
		Use:   "rotate-key",
		Short: "Seal every secret with a new master key",
		Long: "Rotate-key adds a new key to the master key file and seals every secret anew with it. A server that runs on the\n" +
			"same data directory is asked to do it. Interrupted, it is simply run again.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := os.Stat(filepath.Join(p.data, "master.key")); errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("there is no installation in %s", p.data)
			}
			if done, err := p.tell(c.Context(), c.OutOrStdout(), order{Do: "rotate-key", Drop: drop}); done {
				return err
			}
			s, err := p.open(c.Context(), slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			defer s.db.Close()
			return rotate(c.Context(), s, drop, c.OutOrStdout())
		},
	}
	p.flags(c)
	c.Flags().BoolVar(&drop, "drop-old", false, "remove the old keys afterwards; backups made before can then no longer be read")
	return c
}

func rotate(ctx context.Context, s *system, drop bool, out io.Writer) error {
	if drop && s.db.IsShared() {
		return usageError{errors.New("--drop-old is not for PostgreSQL: another node may still seal with the old key")}
	}
	if err := s.box.Rotate(); err != nil {
		return err
	}
	sealed := 0
	for {
		// Work that was under way may bring secrets sealed with the old key, until
		// a pass finds none.
		n, err := s.Reseal(ctx, operator())
		if err != nil {
			return err
		}
		if sealed += n; n == 0 {
			break
		}
	}
	fmt.Fprintf(out, "%d secrets are sealed with the new key\n", sealed)
	if !drop {
		return nil
	}
	if err := s.box.DropOld(); err != nil {
		return err
	}
	fmt.Fprintln(out, "the old keys are gone")
	return nil
}
