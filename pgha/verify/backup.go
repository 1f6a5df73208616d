package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/status"
)

// backupCheck holds the backups to what the specification promises of them.
func backupCheck(now moment) check {
	return check{"backups are as fresh and as proven as promised",
		errs.Text("%s makes one, %s proves it, %s tries the way to the archive",
			errs.Verb("backup"), errs.Verb("backup", "drill"), errs.Verb("backup", "check")),
		func(ctx context.Context, c *site.Site) (string, error) {
			s, err := now()
			if err != nil || s.Backup == nil {
				return "", err
			}
			if err := errs.Reasons(s.Backup.Warnings); err != nil {
				return "", err
			}
			gap, _, err := status.BackupGap(ctx, c)
			if err != nil {
				return "", err
			}
			if gap.Missing != "" {
				return "", fmt.Errorf("segment %s is missing in the archive: from the newest backup nothing "+
					"after %s can be reached", gap.Missing, gap.To.Format(time.RFC3339))
			}
			detail := "the newest is " + s.Backup.Newest.Label
			if p := s.Backup.Proof; p != nil {
				detail += fmt.Sprintf(", and %s was restored in %.1f s", p.Backup, p.RecoverySeconds)
			}
			return detail, nil
		}}
}
