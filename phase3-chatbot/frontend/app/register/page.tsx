import { AccountForm } from "@/components/AccountForm";

export default function Page() {
  return <AccountForm kind="register" />;
}
